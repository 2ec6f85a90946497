#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| _ = picomlp_fuzz_properties::blob_int8(data));
