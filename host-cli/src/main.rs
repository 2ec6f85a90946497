//! picomlp
fn main() {}
