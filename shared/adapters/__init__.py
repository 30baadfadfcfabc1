"""The ports on AWS and on libraries. The only boto3 in the house."""
