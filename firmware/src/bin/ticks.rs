//! Trains with Adam while a task of 1 kHz keeps its time: two tasks of an embassy executor, which takes turns and interrupts none.
//!
//! A millisecond is 64,000 instructions, those of a processor of 64 MHz. A tick is late if its task has not run before the next one.
#![no_std]
#![no_main]

use core::future::poll_fn;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use core::task::Poll;

use cortex_m as _; // its critical section
use cortex_m_rt::{entry, exception};
use embassy_executor::Executor;
use embassy_futures::yield_now;
use embassy_sync::waitqueue::AtomicWaker;
use picomlp::fingerprint::fingerprint;
use picomlp::{Adam, BufferedTrainer, Buffers, Error, Init, Mlp, Network, Trainer};
use picomlp_firmware::console::{exit, fail, print, print_hex_u64, print_u32};
use picomlp_firmware::counter::{Counter, Ticker};
use picomlp_fixtures::digits::{PIXELS, draw};
use static_cell::StaticCell;

type Net = Mlp<PIXELS, 32, 10>;

/// Instructions of a millisecond.
const MILLISECOND: u32 = 64_000;

const STEPS: usize = 25;
const BATCH: usize = 4;

/// Parameters that are updated at once.
const SLICE: usize = 1024;

static TICKS: AtomicU32 = AtomicU32::new(0);
static WAKER: AtomicWaker = AtomicWaker::new();

/// Ticks that were missed, and the longest time from a tick to its task, in counts of the timer.
static LATE: AtomicU32 = AtomicU32::new(0);
static DELAY: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    TICKS.fetch_add(1, Relaxed);
    WAKER.wake();
}

/// What must be done every millisecond.
#[embassy_executor::task]
async fn control() {
    let mut last = TICKS.load(Relaxed);
    loop {
        let now = poll_fn(|context| {
            WAKER.register(context.waker());
            let now = TICKS.load(Relaxed);
            if now == last { Poll::Pending } else { Poll::Ready(now) }
        })
        .await;
        LATE.fetch_add(now.wrapping_sub(last) - 1, Relaxed);
        DELAY.fetch_max(Ticker::since_interrupt(), Relaxed);
        last = now;
    }
}

/// The most instructions of each kind of call.
#[derive(Default)]
struct Most {
    forward: u32,
    backward: u32,
    update: u32,
}

/// The memory of training, and what is trained on.
struct Memory {
    params: &'static mut [f32],
    state: &'static mut [f32],
    gradient: &'static mut [f32],
    workspace: &'static mut [f32],
    images: &'static mut [[u8; PIXELS]],
}

#[entry]
fn main() -> ! {
    static mut PARAMS: [f32; Net::PARAMS] = [0.0; Net::PARAMS];
    static mut STATE: [f32; Adam::state_len(Net::PARAMS)] = [0.0; Adam::state_len(Net::PARAMS)];
    static mut GRADIENT: [f32; Net::PARAMS] = [0.0; Net::PARAMS];
    static mut WORKSPACE: [f32; Net::train_scratch(1)] = [0.0; Net::train_scratch(1)];
    static mut IMAGES: [[u8; PIXELS]; STEPS * BATCH] = [[0; PIXELS]; STEPS * BATCH];
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    for (index, image) in IMAGES.iter_mut().enumerate() {
        draw((index % 10) as u8, index as u64, image);
    }
    let memory = Memory {
        params: PARAMS,
        state: STATE,
        gradient: GRADIENT,
        workspace: WORKSPACE,
        images: IMAGES,
    };
    EXECUTOR.init(Executor::new()).run(|spawner| match (control(), train(memory)) {
        (Ok(control), Ok(train)) => {
            control.metadata().set_priority(1); // else the training may have two turns in a row
            spawner.spawn(control);
            spawner.spawn(train);
        }
        _ => fail("no place for a task"),
    })
}

#[embassy_executor::task]
async fn train(memory: Memory) {
    let Memory { params, state, gradient, workspace, images } = memory;
    let ticker = Counter::start().into_ticker(MILLISECOND);
    for (name, slice) in [("measured whole steps", usize::MAX), ("slices", SLICE)] {
        state.fill(0.0);
        if Net::default().init(params, Init::He, 1).is_err() {
            fail("the parameters have a wrong length");
        }
        let buffers =
            Buffers { params: &mut *params, state: &mut *state, workspace: &mut *workspace };
        let trainer = Trainer::new(Net::default(), Adam::new(1e-3), buffers)
            .and_then(|trainer| trainer.with_gradient(&mut *gradient));
        let Ok(mut trainer) = trainer else { fail("no trainer") };
        yield_now().await;
        [&LATE, &DELAY].iter().for_each(|count| count.store(0, Relaxed));
        let mut most = Most::default();
        if steps(&mut trainer, images, slice, &ticker, &mut most).await.is_err() {
            fail("training was refused");
        }
        let line = |what, number| {
            print(name);
            print(what);
            print_u32(number);
            print("\n");
        };
        line(": instructions of a forward pass, at most: ", most.forward);
        line(": instructions of a backward pass, at most: ", most.backward);
        line(": instructions of a slice of the update, at most: ", most.update);
        line(": ticks that were late: ", LATE.load(Relaxed));
        print(if slice == SLICE { "measured " } else { "" });
        line(
            ": instructions from a tick to its task, at most: ",
            ticker.instructions(DELAY.load(Relaxed)),
        );
        print("fingerprint: ");
        print_hex_u64(fingerprint(trainer.params()));
        print("\n");
    }
    exit(0)
}

type Training<'a> = BufferedTrainer<'a, Net, Adam>;

/// Makes the steps; lets the other task run after each call.
async fn steps(
    trainer: &mut Training<'_>,
    images: &[[u8; PIXELS]],
    slice: usize,
    ticker: &Ticker,
    most: &mut Most,
) -> Result<(), Error> {
    for (step, images) in images.chunks(BATCH).enumerate() {
        for (sample, image) in images.iter().enumerate() {
            let label = ((step * BATCH + sample) % 10) as u8;
            let (count, sample) =
                ticker.count(&TICKS, || trainer.accumulate_in_slices(image, &[label], BATCH));
            most.forward = most.forward.max(count);
            let sample = sample?;
            if slice != usize::MAX {
                yield_now().await;
            }
            let (count, done) = ticker.count(&TICKS, || sample.finish());
            most.backward = most.backward.max(count);
            done?;
            yield_now().await;
        }
        let mut update = trainer.apply_in_slices()?;
        loop {
            let (count, loss) = ticker.count(&TICKS, || update.advance(slice));
            most.update = most.update.max(count);
            yield_now().await;
            if loss?.is_some() {
                break;
            }
        }
    }
    Ok(())
}
