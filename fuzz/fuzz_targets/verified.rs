#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| counterfoil_testkit::fuzz::verified(bytes));
