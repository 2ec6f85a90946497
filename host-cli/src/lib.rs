//! picomlp on the desktop.
