//! MNIST's first 100 test pictures through an int8 network whose blob stays in flash.

use picomlp::fingerprint::{FNV_OFFSET, fnv1a};
use picomlp::layers::INFER_STACK;
use picomlp::{Error, FixedLayer, QuantizedModel};

use crate::console::{exit, fail, print, print_hex_u64, print_u32};
use crate::counter::Counter;
use crate::stack;

const PIXELS: usize = 784;
const COUNT: usize = 100;

/// Pictures and labels, without the rest of the input files: a small board has room for no more.
pub struct Pictures {
    images: [[u8; PIXELS]; COUNT],
    labels: [u8; COUNT],
}

impl Pictures {
    /// The first of the input files' bytes.
    #[must_use]
    pub const fn new(images: &[u8], labels: &[u8]) -> Self {
        Self { images: first(images.as_chunks().0), labels: first(labels) }
    }
}

const fn first<T: Copy>(all: &[T]) -> [T; COUNT] {
    match all.first_chunk() {
        Some(chunk) => *chunk,
        None => panic!("the input file is too short"),
    }
}

/// Prints the classes, the accuracy, the fingerprint of all logits, which is that of the host's, the mean count of
/// instructions, and the RAM: scratch, and the stack that one classification takes.
pub fn run<N: FixedLayer>(blob: &[u8], pictures: &'static Pictures, scratch: &mut [i32]) -> ! {
    let Pictures { images, labels } = pictures;
    let mut counter = Counter::start();
    let Ok(model) = QuantizedModel::<N>::from_blob(blob) else { fail("no sound model in flash") };
    let (mut right, mut hash, mut instructions) = (0, FNV_OFFSET, 0);
    for (pixels, label) in images.iter().zip(labels) {
        let (count, class) = counter.count(|| classify(&model, pixels, scratch));
        let Ok(class) = class else { fail("a picture was refused") };
        instructions += count;
        right += u32::from(class == usize::from(*label));
        print_u32(class as u32);
        let Ok(logits) = model.logits(pixels, scratch) else { fail("a picture was refused") };
        hash = logits.iter().fold(hash, |hash, logit| fnv1a(hash, &logit.to_le_bytes()));
    }
    let (stack, _) =
        stack::used_by(|| images.first().map(|pixels| classify(&model, pixels, scratch)));
    print("\nright: ");
    print_u32(right);
    print(" of ");
    print_u32(COUNT as u32);
    print("\nfingerprint of the logits: ");
    print_hex_u64(hash);
    print("\ninstructions a picture, mean: ");
    print_u32(instructions / COUNT as u32);
    print("\nRAM in bytes: scratch ");
    print_u32(4 * scratch.len() as u32);
    print(", stack ");
    print_u32(stack as u32);
    print("\n");
    if stack > INFER_STACK {
        fail("more stack than `INFER_STACK`");
    }
    exit(0)
}

#[inline(never)]
fn classify<N: FixedLayer>(
    model: &QuantizedModel<'_, N>,
    pixels: &[u8],
    scratch: &mut [i32],
) -> Result<usize, Error> {
    model.classify(pixels, scratch)
}
