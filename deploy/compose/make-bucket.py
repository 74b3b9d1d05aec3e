"""Makes the bucket that is named, unless it is there: `python make-bucket.py NAME`."""

import sys

import boto3

bucket = sys.argv[1]
client = boto3.client("s3")
if bucket not in [found["Name"] for found in client.list_buckets()["Buckets"]]:
    client.create_bucket(Bucket=bucket)
    print(f"made the bucket {bucket}")  # noqa: T201 - the log of compose
