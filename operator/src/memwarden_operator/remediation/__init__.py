"""What is done about pods that leak: `plan` decides, `status` says it, `acting` does it.

`plan`, `ledger`, `windows` and `status` are pure. What they count by stands in the profile's status, which is written
before anything is touched: a controller that is made anew, or a second one, goes on from there.
"""
