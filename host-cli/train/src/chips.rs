//! Microcontrollers, and whether a network fits them.

use picomlp::layers::{INFER_STACK, TRAIN_STACK};
use picomlp::{Adam, AnyLayer, Layer, Sequential, Sgd};

/// A microcontroller as its data sheet has it.
#[derive(Clone, Copy, Debug)]
pub struct Chip {
    /// Its part number.
    pub name: &'static str,
    /// Its processor.
    pub core: Core,
    /// Flash for the program, in KB of 1,024 bytes; where that is a chip of its own, what the usual board has.
    pub flash: usize,
    /// RAM, in KB.
    pub ram: usize,
    /// The highest clock, in MHz.
    pub mhz: u32,
    /// The data sheet.
    pub source: &'static str,
}

/// A processor, by what it means for the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Core {
    /// Its name.
    pub name: &'static str,
    /// An FPU for `f32`, which the assembler kernels need.
    pub fpu: bool,
    /// The DSP extension, which the int8 kernel uses.
    pub dsp: bool,
}

const fn core(name: &'static str, fpu: bool, dsp: bool) -> Core {
    Core { name, fpu, dsp }
}
const M0: Core = core("Cortex-M0+", false, false);
const M3: Core = core("Cortex-M3", false, false);
const M4F: Core = core("Cortex-M4F", true, true);
const M7: Core = core("Cortex-M7", true, true);
const M33: Core = core("Cortex-M33", true, true);
const RISC_V: Core = core("RV32IMC", false, false);

const fn chip(
    name: &'static str,
    core: Core,
    [flash, ram]: [usize; 2],
    mhz: u32,
    source: &'static str,
) -> Chip {
    Chip { name, core, flash, ram, mhz, source }
}

/// The chips, by name.
pub const CHIPS: &[Chip] = &[
    chip(
        "ESP32-C3",
        RISC_V,
        [4096, 400],
        160,
        "ESP32-C3 Series Datasheet; flash: ESP32-C3-DevKitM-1",
    ),
    chip("nRF52832", M4F, [512, 64], 64, "nRF52832 Product Specification v1.8"),
    chip("nRF52833", M4F, [512, 128], 64, "nRF52833 Product Specification v1.6 (micro:bit v2)"),
    chip("nRF52840", M4F, [1024, 256], 64, "nRF52840 Product Specification v1.7"),
    chip("nRF5340", M33, [1024, 512], 128, "nRF5340 Product Specification v1.3, application core"),
    chip("RP2040", M0, [2048, 264], 133, "RP2040 Datasheet; flash: Raspberry Pi Pico"),
    chip("RP2350", M33, [4096, 520], 150, "RP2350 Datasheet; flash: Raspberry Pi Pico 2"),
    chip("SAMD21G18", M0, [256, 32], 48, "SAM D21/DA1 Family Data Sheet"),
    chip("SAMD51J19", M4F, [512, 192], 120, "SAM D5x/E5x Family Data Sheet"),
    chip("STM32F103C8", M3, [64, 20], 72, "DS5319 (STM32F103x8/xB)"),
    chip("STM32F411VE", M4F, [512, 128], 100, "DS10314 (STM32F411xC/xE)"),
    chip("STM32F446RE", M4F, [512, 128], 180, "DS10693 (STM32F446xC/xE)"),
    chip("STM32G031K8", M0, [64, 8], 64, "DS12992 (STM32G031x4/x6/x8)"),
    chip("STM32H743ZI", M7, [2048, 1024], 480, "DS12110 (STM32H742xI/G, STM32H743xI/G)"),
    chip("STM32L432KC", M4F, [256, 64], 80, "DS11451 (STM32L432KB/KC)"),
    chip("STM32U575ZI", M33, [2048, 784], 160, "DS13737 (STM32U575xx)"),
];

/// The chip of this name, however it is capitalized.
#[must_use]
pub fn find(name: &str) -> Option<&'static Chip> {
    CHIPS.iter().find(|chip| chip.name.eq_ignore_ascii_case(name))
}

/// What a program takes besides the model: startup, blob reader and kernels, in bytes of flash. Measured on firmware's
/// `infer`, `int8` and `train` for a Cortex-M4F, and rounded up; soft float adds some.
const INFER_CODE: usize = 18 << 10;
const TRAIN_CODE: usize = 32 << 10;

/// One way to use a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// For people: `f32`, `int8`, `SGD`, `Adam`, `last layer`.
    pub name: &'static str,
    /// Bytes of flash: model and code.
    pub flash: usize,
    /// Bytes of RAM, the stack included.
    pub ram: usize,
    /// Products of one sample, if time can be modelled: those of inference.
    products: Option<usize>,
}

/// What uses of a network take; `bytes` are the model's, `int8` the words of scratch of its int8 form.
#[must_use]
pub fn uses(net: &Sequential, bytes: usize, int8: Option<usize>) -> Vec<Use> {
    let params = net.params();
    let dense = |layer: &AnyLayer| match layer {
        AnyLayer::Dense(dense) => dense.inputs() * dense.outputs(),
        _ => 0,
    };
    let products = Some(net.layers().iter().map(dense).sum());
    let training = |name, state: usize| Use {
        name,
        flash: bytes + TRAIN_CODE,
        ram: 4 * (params + state + net.train_scratch(1)) + TRAIN_STACK,
        products: None,
    };
    let infer = 4 * net.infer_scratch(1);
    let mut uses =
        vec![Use { name: "f32", flash: bytes + INFER_CODE, ram: infer + INFER_STACK, products }];
    if let Some(words) = int8 {
        let (flash, ram) = (bytes + INFER_CODE, 4 * words + INFER_STACK);
        uses.push(Use { name: "int8", flash, ram, products });
    }
    uses.push(training("SGD", Sgd::state_len(params)));
    uses.push(training("Adam", Adam::state_len(params)));
    if let Some(last) = net.layers().iter().rev().find(|layer| layer.params() > 0) {
        let own = last.params() + Adam::state_len(last.params()) + last.train_scratch(1);
        let ram = infer + 4 * own + TRAIN_STACK;
        uses.push(Use { name: "last layer, Adam", flash: bytes + TRAIN_CODE, ram, products: None });
    }
    uses
}

impl Use {
    /// Bytes of flash and RAM that are left on a chip; negative if it does not fit.
    #[must_use]
    pub fn left(&self, chip: &Chip) -> [isize; 2] {
        let left = |has: usize, takes: usize| (has * 1024) as isize - takes as isize;
        [left(chip.flash, self.flash), left(chip.ram, self.ram)]
    }

    /// Milliseconds for a sample without zeros, if that is modelled: 4.5 cycles a product in f32 with an FPU, 1.6 in int8 with
    /// the DSP extension (docs/microcontrollers.md), without wait states.
    #[must_use]
    pub fn milliseconds(&self, chip: &Chip) -> Option<f64> {
        let cycles = match (self.name, chip.core) {
            ("f32", Core { fpu: true, .. }) => 4.5,
            ("int8", Core { dsp: true, .. }) => 1.6,
            _ => return None,
        };
        Some(cycles * self.products? as f64 / (1000.0 * f64::from(chip.mhz)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(hidden: usize) -> Sequential {
        let layers =
            [AnyLayer::dense(784, hidden), AnyLayer::relu(hidden), AnyLayer::dense(hidden, 10)];
        Sequential::new(layers.into_iter().collect()).unwrap()
    }

    fn fits(hidden: usize, chip: &str) -> Vec<bool> {
        let net = net(hidden);
        let uses = uses(&net, 4 * net.params() + 4096, None);
        uses.iter()
            .map(|used| used.left(find(chip).unwrap()).iter().all(|left| *left >= 0))
            .collect()
    }

    #[test]
    fn what_fits_is_what_the_documents_say() {
        // f32, SGD, Adam, the last layer alone.
        assert_eq!(fits(32, "nrf52833"), [true, true, false, true]);
        assert_eq!(fits(32, "STM32H743ZI"), [true; 4]);
        assert_eq!(fits(128, "STM32F411VE"), [true, false, false, true]);
        assert_eq!(fits(128, "STM32F103C8"), [false; 4]);
    }

    #[test]
    fn time_is_modelled_where_the_kernels_are_assembler() {
        let uses = uses(&net(128), 0, None);
        let time = |chip| uses[0].milliseconds(find(chip).unwrap());
        let expected = 4.5 * (784.0 * 128.0 + 1280.0) / 64e3;
        assert!((time("nRF52840").unwrap() - expected).abs() < 1e-9);
        assert_eq!(time("RP2040"), None);
    }

    #[test]
    fn chips_are_in_order_and_named_once() {
        assert!(CHIPS.is_sorted_by_key(|chip| chip.name.to_lowercase()));
    }
}
