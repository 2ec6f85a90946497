//! Counts the instructions and the stack of each phase, and prints each count beside what was computed.
//!
//! A step is made on each of the first test pictures: 100 at batch 1, 96 at batch 8. The stack is what the call takes;
//! the constants of `picomlp::layers` are its ceiling, and a phase that takes more fails.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use picomlp::blob::Aligned;
use picomlp::layers::{INFER_STACK, TRAIN_STACK};
use picomlp::{
    Adam, Buffers, FixedLayer, Init, Mlp, Model, Network, Optimizer, Sgd, Trainer, include_model,
};
use picomlp_firmware::console::{exit, fail, print, print_u32};
use picomlp_firmware::counter::Counter;
use picomlp_firmware::digits::{Digits, PIXELS};
use picomlp_firmware::{stack, test_digits};

type Wide = Mlp<PIXELS, 128, 10>;
type Small = Mlp<PIXELS, 32, 10>;

static MODEL: &Aligned<[u8]> = include_model!(concat!(env!("PICOMLP_INPUTS"), "/model.pmlp"));

/// The largest batch.
const BATCH: usize = 8;

#[entry]
fn main() -> ! {
    static mut PARAMS: [f32; Wide::PARAMS] = [0.0; Wide::PARAMS];
    static mut STATE: [f32; Adam::state_len(Small::PARAMS)] = [0.0; Adam::state_len(Small::PARAMS)];
    static mut SCRATCH: [f32; Wide::train_scratch(BATCH)] = [0.0; Wide::train_scratch(BATCH)];
    let mut bench = Bench { counter: Counter::start(), params: PARAMS, scratch: SCRATCH };

    bench.infer("f32 inference, 784-128-10", Wide::INFER_RAM);
    let sgd = |name, batch| Phase { name, batch, optimizer: Sgd::new(0.01) };
    bench.train::<Small, _>(&sgd("SGD step, 784-32-10, batch 1", 1), &mut []);
    bench.train::<Wide, _>(&sgd("SGD step, 784-128-10, batch 1", 1), &mut []);
    bench.train::<Small, _>(&sgd("SGD step, 784-32-10, batch 8", 8), &mut []);
    bench.train::<Wide, _>(&sgd("SGD step, 784-128-10, batch 8", 8), &mut []);
    let adam = |name, batch| Phase { name, batch, optimizer: Adam::new(0.001) };
    bench.train::<Small, _>(&adam("Adam step, 784-32-10, batch 1", 1), STATE);
    bench.train::<Small, _>(&adam("Adam step, 784-32-10, batch 8", 8), STATE);
    exit(0)
}

/// A way to train.
struct Phase<O> {
    name: &'static str,
    batch: usize,
    optimizer: O,
}

struct Bench {
    counter: Counter,
    params: &'static mut [f32],
    scratch: &'static mut [f32],
}

impl Bench {
    fn infer(&mut self, name: &str, ram: usize) {
        let Ok(model) = Model::<Wide>::from_blob(MODEL) else { fail("no sound model in flash") };
        let digits = test_digits!().first(100);
        let (mut tally, mut right) = (Tally::default(), 0);
        for (image, label) in digits.iter() {
            let (count, class) = self.counter.count(|| model.classify(image, self.scratch));
            tally.add(count);
            right += u32::from(class == Ok(usize::from(label)));
        }
        let image = digits.images.first();
        let (stack, _) = stack::used_by(|| image.map(|image| model.classify(image, self.scratch)));
        tally.print(name);
        print_stack(stack, INFER_STACK, ram);
        print(", ");
        print_u32(right);
        print(" of 100 right\n");
    }

    fn train<N: FixedLayer, O: Optimizer + Clone>(&mut self, phase: &Phase<O>, state: &mut [f32]) {
        let digits = test_digits!().first(100);
        let net = N::default();
        let Some(params) = self.params.get_mut(..N::PARAMS) else { fail("params") };
        if net.init(params, Init::He, 1).is_err() {
            fail("params");
        }
        state.fill(0.0);
        let optimizer = phase.optimizer.clone();
        let Ok(mut trainer) = Trainer::new(
            net,
            optimizer,
            Buffers { params: &mut *params, state: &mut *state, workspace: &mut *self.scratch },
        ) else {
            fail("no trainer")
        };
        let (mut tally, mut losses) = (Tally::default(), [None; 2]);
        let Digits { images, labels } = digits;
        let mut batches = images.chunks_exact(phase.batch).zip(labels.chunks_exact(phase.batch));
        for (images, labels) in batches.clone() {
            let (count, loss) = self.counter.count(|| trainer.step(images, labels));
            tally.add(count);
            losses = [losses[0].or(loss.ok()), loss.ok()];
        }
        let again = batches.next_back();
        let (stack, _) =
            stack::used_by(|| again.map(|(images, labels)| trainer.step(images, labels)));
        tally.print(phase.name);
        let ram = picomlp::layers::train_ram::<N>(O::STATE_PER_PARAM, phase.batch);
        print_stack(stack, TRAIN_STACK, ram);
        print(", loss ");
        losses[0].map_or_else(|| fail("no loss"), print_thousandths);
        print(" -> ");
        losses[1].map_or_else(|| fail("no loss"), print_thousandths);
        print("\n");
    }
}

#[derive(Default)]
struct Tally {
    sum: u32,
    count: u32,
    least: Option<u32>,
    most: u32,
}

impl Tally {
    fn add(&mut self, count: u32) {
        self.sum += count;
        self.count += 1;
        self.least = Some(self.least.map_or(count, |least| least.min(count)));
        self.most = self.most.max(count);
    }

    fn print(&self, name: &str) {
        print(name);
        print(": ");
        print_u32(self.sum / self.count.max(1));
        print(" instructions in the mean (");
        print_u32(self.least.unwrap_or_default());
        print(" to ");
        print_u32(self.most);
        print(")");
    }
}

fn print_stack(used: usize, ceiling: usize, ram: usize) {
    print(", ");
    print_u32(used as u32);
    print(" bytes of stack, ");
    print_u32(ram as u32);
    print(" of RAM");
    if used > ceiling {
        fail(": the stack is deeper than its ceiling");
    }
}

fn print_thousandths(value: f32) {
    let thousandths = (value * 1000.0) as u32;
    print_u32(thousandths / 1000);
    print(".");
    for digit in [100, 10, 1] {
        print_u32(thousandths / digit % 10);
    }
}
