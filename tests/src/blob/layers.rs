//! Every kind of layer, and those that no blob may hold.

use picomlp::blob::{Aligned, Blob, BlobError, Contents, Provenance};
use picomlp::{
    BatchNorm, Chain, Dense, DenseNoBias, Dropout, Init, Layer, LayerNorm, LeakyRelu, LossKind,
    Model, Network, Sequential, Sigmoid, Tanh,
};

use super::sample::{Bytes, at, provenance};

/// A network of every kind of layer that a blob may hold, and dropout, which it leaves out.
type Kinds = Chain<
    Chain<
        Chain<DenseNoBias<6, 5>, LayerNorm<5>>,
        Chain<LeakyRelu<5, { 0.2f32.to_bits() }>, Dropout<5>>,
    >,
    Chain<Chain<Dense<5, 4>, Tanh<4>>, Chain<Dense<4, 3>, Sigmoid<3>>>,
>;

#[test]
fn every_kind_of_layer_is_written_and_read_again_with_its_settings_and_gives_the_same_bits() {
    let net = Kinds::default();
    let mut params = vec![0.0; Kinds::PARAMS];
    net.init(&mut params, Init::Xavier, 4).unwrap();
    let mut buffer = Aligned([0; 1024]);
    let contents = Contents {
        provenance: Some(Provenance { loss: LossKind::SquaredError, ..provenance() }),
        ..Contents::new(&net, &params)
    };
    let len = contents.write(&mut buffer.0).unwrap();
    let fixed = Model::<Kinds>::from_blob(&buffer[..len]).unwrap();
    let free = Model::<Sequential>::from_blob(&buffer[..len]).unwrap();
    let kinds: Vec<String> = free.net().layers().iter().map(ToString::to_string).collect();
    let expected = [
        "dense 6→5, no bias",
        "layer-norm 5→5, epsilon 0.00001",
        "leaky-relu 5→5, slope 0.2",
        "dense 5→4",
        "tanh 4→4",
        "dense 4→3",
        "sigmoid 3→3",
    ];
    assert_eq!(kinds, expected);
    let (mut a, mut b, mut c) = ([0.0; 3], [0.0; 3], [0.0; 3]);
    let x = [9u8, 200, 0, 7, 0, 255];
    let mut scratch = [0.0; Kinds::INFER_SCRATCH];
    fixed.probabilities(&x, &mut a, &mut scratch).unwrap();
    free.probabilities(&x, &mut b, &mut scratch).unwrap();
    assert_eq!(a.map(f32::to_bits), b.map(f32::to_bits));
    // Trained on squared error, the outputs are read as probabilities themselves.
    net.forward(&params, &x, &mut c, &mut scratch).unwrap();
    let sum = c[0] + c[1] + c[2];
    assert_eq!(a, c.map(|c| c / sum));
    // Another slope is another network.
    type Other = Chain<Chain<DenseNoBias<6, 5>, LayerNorm<5>>, LeakyRelu<5>>;
    let error = Model::<Other>::from_blob(&buffer[..len]).unwrap_err();
    let expected = "at layer 2 the program has leaky-relu 5→5, slope 0.01, the model leaky-relu 5→5, slope 0.2";
    assert!(error.to_string().ends_with(expected), "{error}");
}

#[test]
fn settings_that_make_no_sense_and_unknown_kinds_are_refused() {
    let net = Kinds::default();
    let params = vec![0.0; Kinds::PARAMS];
    let mut buffer = Aligned([0; 1024]);
    let len = Contents::new(&net, &params).write(&mut buffer.0).unwrap();
    let cases = [
        (1, 3, 0.0f32.to_bits(), "a slope or an epsilon in its layers makes no sense"),
        (2, 3, f32::NAN.to_bits(), "a slope or an epsilon in its layers makes no sense"),
        (2, 3, (-0.5f32).to_bits(), "a slope or an epsilon in its layers makes no sense"),
        (4, 1, 3, "an activation or a normalisation changes its width"),
        (4, 0, 9, "it has a layer of an unknown kind"),
    ];
    for (layer, field, word, what) in cases {
        let mut bytes = Bytes::new(&buffer[..len]);
        bytes.put(at::LAYER_TABLE + 16 * layer + 4 * field, word);
        bytes.seal();
        assert_eq!(Blob::parse(bytes.get()).unwrap_err(), BlobError::Malformed { what });
    }
}

#[test]
fn batch_normalisation_must_be_folded_before_it_is_written() {
    let net = Chain(Dense::<6, 5>::default(), BatchNorm::<5>::default());
    let mut params = vec![0.0; net.params()];
    let error = Contents::new(&net, &params).write(&mut [0; 1024]).unwrap_err();
    assert!(error.to_string().contains("Network::fold"), "{error}");
    let (folded, params) = net.fold(&mut params).unwrap();
    assert!(Contents::new(&folded, params).write(&mut [0; 1024]).is_ok());
}
