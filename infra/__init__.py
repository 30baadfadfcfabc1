"""The house as a CloudFormation template, and `local`, which runs that template on a laptop."""
