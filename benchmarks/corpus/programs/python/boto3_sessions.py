"""A worker that keeps its credentials' session for hours, and makes a boto3 session on it for every job."""

import random

import boto3
import botocore.session
from traffic.shape import arrivals, seed


class Credentials:
    """The session with the credentials, made once."""

    def __init__(self):
        self.session = botocore.session.Session()
        self.session.set_credentials("key", "secret", "token")


def session_for(credentials, region):
    """A session for one job."""
    return boto3.Session(region_name=region, botocore_session=credentials.session)  # LEAK


def main():
    draw = random.Random(seed())
    credentials = Credentials()
    regions = ["eu-west-1", "eu-central-1", "us-east-1"]
    seen = 0
    for _ in arrivals(60):
        for _ in range(4):
            session = session_for(credentials, draw.choice(regions))
            seen += session.profile_name == "default"


if __name__ == "__main__":
    main()
