//! Which processor it really is.

/// The CPUID register: Armv7-M Architecture Reference Manual, section B3.2.3.
const CPUID: *const u32 = 0xe000_ed00 as *const u32;

/// The processor's name, by its own account.
#[must_use]
pub fn name() -> &'static str {
    #[allow(unsafe_code, reason = "a register is a place in memory")]
    // SAFETY: every Cortex-M has this register, and reading it changes nothing.
    let id = unsafe { CPUID.read_volatile() };
    match id >> 4 & 0xfff {
        0xc20 => "Cortex-M0",
        0xc23 => "Cortex-M3",
        0xc24 => "Cortex-M4",
        0xc27 => "Cortex-M7",
        0xd21 => "Cortex-M33",
        _ => "unknown",
    }
}
