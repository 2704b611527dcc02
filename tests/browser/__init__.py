"""A package, alone among the folders of tests, so that pytest ends `scope="package"` fixtures with it.

Playwright's synchronous face keeps an event loop running in the main thread, which asynchronous tests of other folders
could not bear; and the stack with its feed should not go on beside them.
"""
