"""An instrument that is not there: it writes valid FITS frames, or plain filler, at a wanted rate."""
