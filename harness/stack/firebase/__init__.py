"""The Firebase parts: installing and starting the real emulators, and the Remote Config emulator, which is ours."""
