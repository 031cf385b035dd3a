"""The interface `/api/v1`: questions about scopes, verdicts, series, profiles; models from
`memwarden_api.rest`.
"""
