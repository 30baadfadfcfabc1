"""A ticket opens, is joined, or is corrected where a person overrode what opened or joined it."""
