//! Trains on a data file and writes the model that `picomlp train` writes.
//!
//! `cargo run --release -p picomlp-train --example train -- DATA MODEL.pmlp`

use picomlp_train::Session;
use picomlp_train::config::TrainConfig;
use picomlp_train::data::{Dataset, Schema};

fn main() -> anyhow::Result<()> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [data, model] = &paths[..] else { anyhow::bail!("usage: train DATA MODEL.pmlp") };
    let data = Dataset::open(data, &Schema::detect())?;
    let trained = Session::new(TrainConfig::mlp([32]), &data)?.run(|epoch| println!("{epoch}"))?;
    if let Some(test) = &trained.test {
        println!("test accuracy {:.2} %", 100.0 * test.accuracy());
    }
    trained.save(model)
}
