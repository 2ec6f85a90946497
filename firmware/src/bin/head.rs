//! Trains the last layer of 784-32-10 anew, on digits in flash: the first layers stay in flash as they are, in f32 or in int8.
//!
//! Base and head are then written out as one blob. The host does the same training and must come to the same bits.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::blob::{Aligned, Contents, Input};
use picomlp::fingerprint::fingerprint;
use picomlp::layers::head_ram;
use picomlp::{
    Buffers, Chain, Dense, Error, FixedLayer, Init, InputMap, Mlp, Model, Network, QuantizedModel,
    Relu, Sgd, Trainer, argmax, include_model,
};
use picomlp_firmware::console::{exit, fail, print, print_bytes, print_hex_u64, print_u32};
use picomlp_firmware::counter::Counter;
use picomlp_firmware::digits::{Digits, PIXELS};
use picomlp_firmware::{stack, test_digits, training_digits};

const HIDDEN: usize = 32;

type Net = Mlp<PIXELS, HIDDEN, 10>;

/// In f32, the base has the activation too.
type Base = Chain<Dense<PIXELS, HIDDEN>, Relu<HIDDEN>>;
type Head = Dense<HIDDEN, 10>;

/// In int8, the head has it.
type Int8Base = Dense<PIXELS, HIDDEN>;
type Int8Head = Chain<Relu<HIDDEN>, Dense<HIDDEN, 10>>;

// What training takes besides the stack, checked before anything runs: features 128 bytes, parameters 1,320, scratch
// 160.
const _: () = assert!(head_ram::<Base, Head>(Sgd::STATE_PER_PARAM, 1) <= 1608);

static MODEL: &Aligned<[u8]> = include_model!(concat!(env!("PICOMLP_INPUTS"), "/base.pmlp"));
static INT8: &Aligned<[u8]> =
    include_model!(concat!(env!("PICOMLP_INPUTS"), "/base-hidden-int8.pmlp"));

#[entry]
fn main() -> ! {
    let mut counter = Counter::start();
    let Ok(model) = Model::<Net>::from_blob(MODEL) else { fail("no sound model in flash") };
    let Some(frozen) = model.params().get(..Base::PARAMS) else { fail("no base") };
    let mut head = [0.0; Head::PARAMS];
    let ram = head_ram::<Base, Head>(Sgd::STATE_PER_PARAM, 1);
    run::<Head>(
        "f32",
        &mut counter,
        ram,
        &mut head,
        &mut [0.0; Head::train_scratch(1)],
        |image, to| {
            let image = model.read(picomlp::IntoBatch::into_batch(image, PIXELS)?);
            Base::default().forward(frozen, image, to, &mut [])
        },
    );
    let net = Net::default();
    let contents = Contents {
        input: Some(Input::image(28, 28, InputMap::PIXELS)),
        head: &head,
        ..Contents::new(&net, frozen)
    };
    if contents.write_pieces(|piece| print_bytes("blob ", piece)).is_err() {
        fail("the blob could not be written");
    }

    let Ok(model) = QuantizedModel::<Int8Base>::from_blob(INT8) else { fail("no sound int8 base") };
    let mut scratch = [0; Int8Base::INT8_SCRATCH];
    let ram = head_ram::<Int8Base, Int8Head>(Sgd::STATE_PER_PARAM, 1) + size_of_val(&scratch);
    let mut head = [0.0; Int8Head::PARAMS];
    run::<Int8Head>(
        "int8",
        &mut counter,
        ram,
        &mut head,
        &mut [0.0; Int8Head::train_scratch(1)],
        |image, to| model.features(image, to, &mut scratch),
    );
    exit(0)
}

/// One pass over the digits, batch 1, and what it came to.
fn run<N: FixedLayer>(
    name: &str,
    counter: &mut Counter,
    ram: usize,
    head: &mut [f32],
    workspace: &mut [f32],
    mut base: impl FnMut(&[u8; PIXELS], &mut [f32]) -> Result<(), Error>,
) {
    let (net, mut features, mut most, mut deepest) = (N::default(), [0.0; HIDDEN], 0, 0);
    if net.init(head, Init::He, 1).is_err() {
        fail("the head's parameters have a wrong length");
    }
    let buffers = Buffers { params: &mut *head, state: &mut [0.0; 0], workspace: &mut *workspace };
    let Ok(mut trainer) = Trainer::new(net, Sgd::new(0.02), buffers) else { fail("no trainer") };
    let Digits { images, labels } = training_digits!();
    for (sample, (image, label)) in images.iter().zip(labels).enumerate() {
        let mut step = || {
            base(image, &mut features)?;
            trainer.step(&features[..], &[*label])
        };
        let (count, loss) = if sample == 0 {
            let (used, loss) = stack::used_by(&mut step);
            deepest = used;
            (0, loss)
        } else {
            counter.count(step)
        };
        most = count.max(most);
        if loss.is_err() {
            fail("training was refused");
        }
    }
    let mut right = 0;
    for (image, label) in test_digits!().first(1000).iter() {
        let logits = base(image, &mut features).and_then(|()| trainer.predict(&features[..]));
        right += u32::from(logits.is_ok_and(|logits| argmax(logits) == usize::from(label)));
    }
    print(name);
    print(" base: ");
    print_u32(right);
    print(" of 1000 test pictures right, a step at most ");
    print_u32(most);
    print(" instructions, RAM ");
    print_u32(ram as u32);
    print(" bytes, stack ");
    print_u32(deepest as u32);
    print("\nfingerprint: ");
    print_hex_u64(fingerprint(trainer.params()));
    print("\n");
}
