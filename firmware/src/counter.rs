//! Counts instructions, by SysTick under QEMU's `-icount shift=0`.
//!
//! There every instruction takes one nanosecond of virtual time, so a timer of a known frequency counts instructions: a
//! tick of 25 MHz is exactly 40. How many a tick is, a loop of known length tells. A count is exact to one tick.
//! QEMU models no wait states, caches or pipelines: a count is no time.

use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Ticks before the timer starts again: 24 bits.
const PERIOD: u32 = 1 << 24;

/// Instructions of the calibration loop.
const KNOWN: u32 = 2_000_000;

/// A running SysTick that knows how many instructions a tick is.
pub struct Counter {
    /// Thousandths of an instruction a tick.
    milli_per_tick: u32,
}

impl Counter {
    /// Starts the timer and measures a loop of known length with it.
    #[must_use]
    pub fn start() -> Self {
        systick::RELOAD.write(PERIOD - 1);
        systick::VALUE.write(0);
        systick::CONTROL.write(systick::ENABLE | systick::CORE_CLOCK);
        let before = systick::VALUE.read();
        known_loop();
        let ticks = since(before).max(1);
        let milli_per_tick = (u64::from(KNOWN) * 1000 / u64::from(ticks)) as u32;
        // A loop's ends fall between ticks: the nearest quarter of an instruction is the true value on all boards.
        Self { milli_per_tick: (milli_per_tick + 125) / 250 * 250 }
    }

    /// Instructions that `work` takes, and what it returns. Right up to 2²⁴ ticks, some 600 million instructions.
    pub fn count<R>(&mut self, work: impl FnOnce() -> R) -> (u32, R) {
        systick::VALUE.write(0);
        let before = systick::VALUE.read();
        let result = work();
        let ticks = since(before);
        ((u64::from(ticks) * u64::from(self.milli_per_tick) / 1000) as u32, result)
    }
}

impl Counter {
    /// Makes the timer raise its interrupt whenever this many instructions have passed.
    #[must_use]
    pub fn into_ticker(self, instructions: u32) -> Ticker {
        let period = (u64::from(instructions) * 1000 / u64::from(self.milli_per_tick)) as u32;
        systick::RELOAD.write(period - 1);
        systick::VALUE.write(0);
        systick::CONTROL.write(systick::ENABLE | systick::CORE_CLOCK | systick::INTERRUPT);
        Ticker { period, milli_per_tick: self.milli_per_tick }
    }
}

/// A SysTick that raises its interrupt.
pub struct Ticker {
    period: u32,
    milli_per_tick: u32,
}

impl Ticker {
    /// Counts of the timer since its last interrupt.
    #[must_use]
    pub fn since_interrupt() -> u32 {
        systick::RELOAD.read().wrapping_sub(systick::VALUE.read())
    }

    /// Counts of the timer as instructions.
    #[must_use]
    pub fn instructions(&self, counts: u32) -> u32 {
        (u64::from(counts) * u64::from(self.milli_per_tick) / 1000) as u32
    }

    /// Instructions that `work` takes, those of interrupts included, and what it returns. `interrupts` counts these.
    pub fn count<R>(&self, interrupts: &AtomicU32, work: impl FnOnce() -> R) -> (u32, R) {
        let now = || loop {
            let (before, counts) = (interrupts.load(Relaxed), Self::since_interrupt());
            if interrupts.load(Relaxed) == before {
                break before.wrapping_mul(self.period).wrapping_add(counts);
            }
        };
        let began = now();
        let result = work();
        (self.instructions(now().wrapping_sub(began)), result)
    }
}

/// The timer's registers: Armv7-M Architecture Reference Manual, section B3.3.
mod systick {
    pub(super) struct Register(usize);

    pub(super) const CONTROL: Register = Register(0xe000_e010);
    pub(super) const RELOAD: Register = Register(0xe000_e014);
    pub(super) const VALUE: Register = Register(0xe000_e018);

    pub(super) const ENABLE: u32 = 1;
    pub(super) const INTERRUPT: u32 = 1 << 1;
    pub(super) const CORE_CLOCK: u32 = 1 << 2;

    #[allow(unsafe_code, reason = "a register is a place in memory")]
    impl Register {
        pub(super) fn read(&self) -> u32 {
            // SAFETY: one of the registers above, which every Cortex-M with a SysTick has.
            unsafe { (self.0 as *const u32).read_volatile() }
        }

        pub(super) fn write(&self, value: u32) {
            // SAFETY: as for `read`; its interrupt has a handler in every program that switches it on.
            unsafe { (self.0 as *mut u32).write_volatile(value) }
        }
    }
}

/// Ticks since the timer, which counts down, stood at `before`.
fn since(before: u32) -> u32 {
    before.wrapping_sub(systick::VALUE.read()) % PERIOD
}

/// Takes [`KNOWN`] instructions.
fn known_loop() {
    #[allow(unsafe_code, reason = "counted instructions cannot be had from the compiler")]
    // SAFETY: changes one register, which is declared, and the flags.
    unsafe {
        asm!(
            "2: subs {left}, {left}, #1",
            "bne 2b",
            left = inout(reg) KNOWN / 2 => _,
            options(nomem, nostack),
        );
    }
}
