#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| _ = picomlp_fuzz_properties::device(data));
