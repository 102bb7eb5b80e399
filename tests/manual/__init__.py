"""What of the manual is made by a command: the reference of files, the sample report, the pictures; and tests of them."""
