"""Child processes of any environment: started, waited for, followed and ended."""
