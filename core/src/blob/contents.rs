//! Writes a blob, piece by piece: into a buffer, a file, or down a wire from a device without room for two copies.

use super::format::{CRC, HEADER, MAGIC, ROW, SECTION_ALIGN, VERSION, at, layer_kind, section};
use super::input::{InputSection, LEN as INPUT_LEN};
use super::names::TARGETS_LEN;
use super::provenance::FIXED as PROVENANCE_FIXED;
use super::self_test::{FIXED as SELF_TEST_FIXED, vector_len};
use super::split::LEN as SPLIT_LEN;
use super::threshold::LEN as THRESHOLD_LEN;
use super::{
    AnomalyThreshold, Blob, BlobError, Checkpoint, DataSplit, Feature, Input, Provenance,
    TargetKind,
};
use crate::checksum;
use crate::fingerprint::{FNV_OFFSET, fnv1a};
use crate::int8;
use crate::kernels::InputMap;
use crate::layers::{AnyLayer, Layer, LayerList, in_use};

/// What goes into a blob.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a, N: ?Sized> {
    /// The network; its dropout is left out, and its batch normalisation must have been
    /// [folded](crate::Network::fold).
    pub net: &'a N,
    /// Its parameters, `[params]`.
    pub params: &'a [f32],
    /// Those of the last layers, if `params` has only the others: a head that was trained in RAM behind a base in flash.
    pub head: &'a [f32],
    /// What it reads: as many values as the network has inputs.
    pub input: Option<Input>,
    /// The names of its inputs, as many as there are, or none.
    pub features: &'a [Feature<'a>],
    /// What kind of answer its outputs are.
    pub targets: Option<TargetKind>,
    /// The names of its outputs (the classes, as a rule), as many as it has, or none; two for classes of one output.
    pub class_names: &'a [&'a str],
    /// A blob whose names are kept where the two lists above are empty: for a device, which has no memory for lists.
    pub names_of: Option<Blob<'a>>,
    /// Where it comes from.
    pub provenance: Option<Provenance<'a>>,
    /// How its training data was split.
    pub split: Option<DataSplit>,
    /// How a data file becomes its inputs: settings by name.
    pub reading: &'a [[&'a str; 2]],
    /// What stands in for a missing input, `[inputs]`; nothing if none may be missing.
    pub fill: &'a [f32],
    /// From which score on a sample is an anomaly.
    pub threshold: Option<AnomalyThreshold>,
    /// Inputs of self-test vectors that are bytes, `[vectors][inputs]`: pixels; of features their int8 form, if the blob is to
    /// have one.
    pub self_test_inputs: &'a [u8],
    /// Inputs of self-test vectors that are features, `[vectors][inputs]`; empty for pixels.
    pub self_test_features: &'a [f32],
    /// The logits they give, `[vectors][outputs]`.
    pub self_test_logits: &'a [f32],
    /// What the layers before the last give, `[vectors][layers][outputs of the layer]`, as
    /// [`trace`](crate::layers::trace) shows it; or nothing.
    pub self_test_layers: &'a [f32],
    /// What training goes on from, if it is to.
    pub checkpoint: Option<Checkpoint<'a>>,
    /// What the int8 form takes, if the blob is to have one.
    pub int8: Option<Int8Contents<'a>>,
}

/// What a blob with int8 parameters takes besides the f32 ones, from which they are made.
#[derive(Clone, Copy, Debug)]
pub struct Int8Contents<'a> {
    ranges: &'a [f32],
    features: Option<[f32; 2]>,
    self_test_logits: &'a [i32],
    keep_f32: bool,
    /// By pointer, so that a device that writes f32 blobs alone does not carry them.
    quantize: [Quantize; 2],
}

/// [`int8::write`] or [`int8::write_inputs`].
type Quantize = fn(&int8::Source<'_>, &mut dyn FnMut(&[u8]));

impl<'a> Int8Contents<'a> {
    /// int8 parameters alone. `ranges` are the largest outputs of each ReLU that are told apart; larger ones saturate.
    /// Calibration finds them.
    #[must_use]
    pub const fn new(ranges: &'a [f32]) -> Self {
        let quantize: [Quantize; 2] = [int8::write, int8::write_inputs];
        Self { ranges, features: None, self_test_logits: &[], keep_f32: false, quantize }
    }

    /// For a network whose inputs are features, not pixels: `range` is the lowest and the highest input of the first dense
    /// layer (after a [`Rescale`](crate::Rescale)) that are told apart; others saturate. Calibration finds them.
    /// [`QuantizedModel::read_features`](super::QuantizedModel::read_features) then makes int8 inputs of features.
    #[must_use]
    pub const fn features(self, range: [f32; 2]) -> Self {
        Self { features: Some(range), ..self }
    }

    /// Whether the f32 parameters, and their self-test, go into the blob too.
    #[must_use]
    pub const fn keep_f32(self, keep_f32: bool) -> Self {
        Self { keep_f32, ..self }
    }

    /// With the logits that the self-test vectors give in int8, `[vectors][outputs]`.
    #[must_use]
    pub const fn self_test(self, logits: &'a [i32]) -> Self {
        Self { self_test_logits: logits, ..self }
    }
}

impl<'a, N: Layer + ?Sized> Contents<'a, N> {
    /// A network and its parameters, nothing else.
    #[must_use]
    pub fn new(net: &'a N, params: &'a [f32]) -> Self {
        Self {
            net,
            params,
            head: &[],
            input: None,
            features: &[],
            targets: None,
            class_names: &[],
            names_of: None,
            provenance: None,
            split: None,
            reading: &[],
            fill: &[],
            threshold: None,
            self_test_inputs: &[],
            self_test_features: &[],
            self_test_logits: &[],
            self_test_layers: &[],
            checkpoint: None,
            int8: None,
        }
    }

    /// Bytes that the blob takes.
    ///
    /// # Errors
    ///
    /// Those of [`write_pieces`](Self::write_pieces).
    pub fn byte_len(&self) -> Result<usize, BlobError> {
        Ok(self.layout(&self.layers()?)?.total)
    }

    /// Writes the blob to the start of `buffer`; returns its length.
    ///
    /// # Errors
    ///
    /// [`BlobError::NoRoom`], and those of [`write_pieces`](Self::write_pieces). `buffer` is then unchanged.
    pub fn write(&self, buffer: &mut [u8]) -> Result<usize, BlobError> {
        let (needed, got) = (self.byte_len()?, buffer.len());
        if got < needed {
            return Err(BlobError::NoRoom { needed, got });
        }
        let mut rest = buffer;
        self.write_pieces(|piece| {
            if let Some((to, after)) = core::mem::take(&mut rest).split_at_mut_checked(piece.len())
            {
                to.copy_from_slice(piece);
                rest = after;
            }
        })
    }

    /// Hands over the blob in pieces, first to last; returns its length.
    ///
    /// # Errors
    ///
    /// [`BlobError::Malformed`] if the parts do not fit each other, [`BlobError::NotInInt8`], [`BlobError::TooLarge`].
    /// Nothing has been handed over then.
    pub fn write_pieces(&self, mut take: impl FnMut(&[u8])) -> Result<usize, BlobError> {
        self.write_all(&mut take)
    }

    #[inline(never)] // the caller's other calls would pay for its stack
    fn write_all(&self, take: &mut dyn FnMut(&[u8])) -> Result<usize, BlobError> {
        let layers = self.layers()?;
        let layout = self.layout(&layers)?;
        let mut crc = CRC.digest();
        self.payload(&layout, &mut |piece| checksum::update(&mut crc, piece));
        take(&self.header(&layout, crc.finalize()));
        self.payload(&layout, take);
        Ok(layout.total)
    }

    fn header(&self, layout: &Layout<'_>, payload_crc: u32) -> [u8; HEADER] {
        let rows = layout.layers.iter().map(layer_row);
        let architecture = rows.fold(FNV_OFFSET, |hash, row| fnv1a(hash, &row));
        let mut header = [0; HEADER];
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(to) = header.get_mut(at..at + bytes.len()) {
                to.copy_from_slice(bytes);
            }
        };
        put(0, &MAGIC);
        put(at::VERSION, &VERSION.to_le_bytes());
        put(at::LAYERS, &(layout.layers.len() as u16).to_le_bytes());
        put(at::TOTAL_LEN, &(layout.total as u32).to_le_bytes());
        put(at::SECTIONS, &(layout.sections().count() as u16).to_le_bytes());
        put(at::PAYLOAD_CRC, &payload_crc.to_le_bytes());
        put(at::ARCHITECTURE, &architecture.to_le_bytes());
        put(at::FINGERPRINT, &self.fingerprint().to_le_bytes());
        let crc = CRC.checksum(header.get(..at::HEADER_CRC).unwrap_or_default());
        if let Some(to) = header.last_chunk_mut::<4>() {
            *to = crc.to_le_bytes();
        }
        header
    }

    /// Everything after the header, in pieces.
    fn payload(&self, layout: &Layout<'_>, take: &mut dyn FnMut(&[u8])) {
        for layer in layout.layers {
            take(&layer_row(layer));
        }
        for (kind, start, len) in layout.sections() {
            take(&row([kind, start as u32, len as u32, 0]));
        }
        for (kind, _, len) in layout.sections() {
            match kind {
                section::PARAMS => {
                    take_words(self.params, |w| w.to_le_bytes(), take);
                    take_words(self.head, |w| w.to_le_bytes(), take);
                }
                section::INT8_PARAMS | section::INT8_INPUTS => {
                    if let Some(int8) = self.int8 {
                        let Int8Contents { ranges, features, quantize: [write, inputs], .. } = int8;
                        let (layers, params, map) = (layout.layers, self.params, self.map());
                        let source = int8::Source { layers, params, map, ranges, features };
                        (if kind == section::INT8_PARAMS { write } else { inputs })(&source, take);
                    }
                }
                section::INPUT => {
                    if let Some(input) = self.input {
                        take(&input.to_bytes());
                    }
                }
                section::CLASSES => {
                    take(self.kept_names(kind, self.class_names.len()));
                    take_names(self.class_names.iter().copied(), take);
                }
                section::FEATURES => {
                    take(self.kept_names(kind, self.features.len()));
                    take_names(self.features.iter().flat_map(|f| [f.name, f.unit]), take);
                }
                section::READING => take_names(self.reading.iter().flatten().copied(), take),
                section::FILL => take_words(self.fill, |w| w.to_le_bytes(), take),
                section::TARGETS => {
                    if let Some(targets) = self.targets {
                        take(&targets.to_bytes());
                    }
                }
                section::PROVENANCE => {
                    let provenance = self.provenance.unwrap_or_default();
                    take(&provenance.to_bytes());
                    take(provenance.command.as_bytes());
                }
                section::TRAINING => self.resumed().training.write(take),
                section::PROGRESS => take(self.resumed().progress.as_bytes()),
                section::SETTINGS => take(self.resumed().settings.as_bytes()),
                section::SPLIT => take(&self.split.unwrap_or_default().to_bytes()),
                section::THRESHOLD => {
                    if let Some(threshold) = self.threshold {
                        take(&threshold.to_bytes());
                    }
                }
                section::SELF_TEST => {
                    self.take_self_test(true, self.self_test_logits, |z| z.to_le_bytes(), take);
                }
                section::SELF_TEST_LAYERS => {
                    take_words(self.self_test_layers, |w| w.to_le_bytes(), take)
                }
                _ => {
                    let logits = self.int8.map_or(&[][..], |int8| int8.self_test_logits);
                    self.take_self_test(false, logits, |z| z.to_le_bytes(), take);
                }
            }
            pad(len, SECTION_ALIGN, take);
        }
    }

    /// What training goes on from, or nothing.
    fn resumed(&self) -> Checkpoint<'a> {
        self.checkpoint.unwrap_or_default()
    }

    fn fingerprint(&self) -> u64 {
        let bytes = |hash, value: &f32| fnv1a(hash, &value.to_le_bytes());
        self.params.iter().chain(self.head).fold(FNV_OFFSET, bytes)
    }

    /// How the network reads its inputs.
    fn map(&self) -> InputMap {
        self.input.map_or(InputMap::PIXELS, |input| input.map)
    }

    /// The names of another blob, unless there are `own` names.
    fn kept_names(&self, kind: u32, own: usize) -> &'a [u8] {
        let blob = self.names_of.filter(|_| own == 0);
        blob.and_then(|blob| blob.section(kind)).unwrap_or_default()
    }

    fn take_self_test<T: Copy>(
        &self,
        in_f32: bool,
        logits: &[T],
        bytes_of: impl Fn(T) -> [u8; 4],
        take: &mut dyn FnMut(&[u8]),
    ) {
        let (inputs, outputs) = (self.net.inputs(), self.net.outputs());
        let mut features = self.self_test_features.chunks_exact(inputs.max(1));
        let mut pixels = self.self_test_inputs.chunks_exact(inputs.max(1));
        let are_features = in_f32 && features.len() > 0;
        let logits = logits.chunks_exact(outputs.max(1));
        take(&row([logits.len() as u32, inputs as u32, outputs as u32, are_features.into()]));
        for logits in logits {
            if are_features {
                take_words(features.next().unwrap_or_default(), |w| w.to_le_bytes(), take);
            } else {
                take(pixels.next().unwrap_or_default());
                pad(inputs, 4, take);
            }
            take_words(logits, &bytes_of, take);
        }
    }

    #[inline(never)] // for its stack
    fn layers(&self) -> Result<LayerList, BlobError> {
        in_use(self.net).map_err(BlobError::of_network)
    }

    fn layout<'l>(&self, layers: &'l [AnyLayer]) -> Result<Layout<'l>, BlobError> {
        let malformed = |what| Err(BlobError::Malformed { what });
        let (inputs, outputs) = (self.net.inputs(), self.net.outputs());
        let params = self.params.len() + self.head.len();
        if params != self.net.params() {
            return malformed("its parameters are not those of its layers");
        }
        if params == 0 {
            return malformed("none of its layers has parameters");
        }
        if self.split.is_some_and(|split| DataSplit::from_bytes(&split.to_bytes()).is_none()) {
            return malformed("its split of the data makes no sense");
        }
        if let Some(input) = self.input {
            let section = InputSection { bytes: &input.to_bytes(), is_version_1: false };
            section.check(inputs).map_err(|what| BlobError::Malformed { what })?;
        }
        let names = self.class_names;
        let expected = self.targets.unwrap_or(TargetKind::Classes).names(outputs);
        if !names.is_empty() && names.len() != expected {
            return malformed("its class names are not as many as its outputs");
        }
        let features = self.features;
        if !features.is_empty() && features.len() != inputs {
            return malformed("its feature names are not as many as its inputs");
        }
        if let Some(blob) = self.names_of
            && !(blob.has_names(section::CLASSES, expected)
                && blob.has_names(section::FEATURES, inputs.saturating_mul(2)))
        {
            return malformed("the names it keeps are not as many as its inputs and outputs");
        }
        let named = features.iter().flat_map(|feature| [feature.name, feature.unit]);
        let reading = self.reading.iter().flatten().copied();
        let all = names.iter().copied().chain(named.clone()).chain(reading.clone());
        if all.into_iter().any(|name| name.contains('\0')) {
            return malformed("a name holds a zero byte");
        }
        let is_filled = self.fill.iter().all(|v| v.is_finite()) && self.fill.len() == inputs;
        if !(self.fill.is_empty() || is_filled) {
            return malformed("its fill values are not finite, or not as many as its inputs");
        }
        if self.threshold.is_some_and(|t| AnomalyThreshold::from_bytes(&t.to_bytes()).is_none()) {
            return malformed("its anomaly threshold makes no sense");
        }
        let are_features = !self.self_test_features.is_empty();
        let (pixels, floats) = (self.self_test_inputs.len(), self.self_test_features.len());
        let given = if are_features { floats } else { pixels };
        let vectors = given.checked_div(inputs).unwrap_or(0);
        if Some(given) != vectors.checked_mul(inputs)
            || Some(self.self_test_logits.len()) != vectors.checked_mul(outputs)
            || are_features && pixels > 0 && pixels != floats
        {
            return malformed("its self-test does not fit its layers");
        }
        if layers.iter().any(|layer| matches!(layer, AnyLayer::BatchNorm(_))) {
            return malformed(
                "it has a batch normalisation, which Network::fold works into another layer",
            );
        }
        let hidden = hidden_outputs(layers);
        let traced = hidden.and_then(|hidden| hidden.checked_mul(vectors));
        if !self.self_test_layers.is_empty() && Some(self.self_test_layers.len()) != traced {
            return malformed("its self-test's layers do not fit its layers");
        }
        if !self.head.is_empty() && self.int8.is_some() {
            return malformed("its int8 form needs the parameters in one slice");
        }
        if let Some(int8) = &self.int8 {
            self.check_int8(int8, layers, vectors * outputs)?;
        }
        let with_f32 = self.int8.is_none_or(|int8| int8.keep_f32);
        let int8_vectors = self.int8.is_some_and(|int8| !int8.self_test_logits.is_empty());
        let names_len = names.iter().map(|name| name.len() + 1).sum::<usize>();
        let names_len =
            names_len.saturating_sub(1) + self.kept_names(section::CLASSES, names.len()).len();
        let features_len = named.map(|name| name.len() + 1).sum::<usize>();
        let features_len = features_len.saturating_sub(1)
            + self.kept_names(section::FEATURES, features.len()).len();
        let reading_len = reading.map(|word| word.len() + 1).sum::<usize>();
        let self_test = |are_features| {
            let len = vector_len(inputs, outputs, are_features)?;
            vectors.checked_mul(len)?.checked_add(SELF_TEST_FIXED)
        };
        let lens = [
            (section::PARAMS, if with_f32 { params.checked_mul(4) } else { Some(0) }),
            (
                section::INT8_PARAMS,
                if self.int8.is_some() {
                    int8::section_len(layers.iter().copied())
                } else {
                    Some(0)
                },
            ),
            (
                section::INT8_INPUTS,
                if self.int8.is_some_and(|int8| int8.features.is_some()) {
                    inputs.checked_mul(8)
                } else {
                    Some(0)
                },
            ),
            (section::INPUT, Some(if self.input.is_some() { INPUT_LEN } else { 0 })),
            (section::FEATURES, Some(features_len)),
            (section::TARGETS, Some(if self.targets.is_some() { TARGETS_LEN } else { 0 })),
            (section::CLASSES, Some(names_len)),
            (
                section::PROVENANCE,
                Some(self.provenance.map_or(0, |p| PROVENANCE_FIXED + p.command.len())),
            ),
            (section::SPLIT, Some(if self.split.is_some() { SPLIT_LEN } else { 0 })),
            (section::READING, Some(reading_len.saturating_sub(1))),
            (section::FILL, self.fill.len().checked_mul(4)),
            (section::THRESHOLD, Some(if self.threshold.is_some() { THRESHOLD_LEN } else { 0 })),
            (
                section::SELF_TEST,
                if vectors > 0 && with_f32 { self_test(are_features) } else { Some(0) },
            ),
            (
                section::SELF_TEST_LAYERS,
                if with_f32 { self.self_test_layers.len().checked_mul(4) } else { Some(0) },
            ),
            (section::INT8_SELF_TEST, if int8_vectors { self_test(false) } else { Some(0) }),
            (section::TRAINING, self.checkpoint.map_or(Some(0), |c| c.training.byte_len())),
            (section::PROGRESS, Some(self.resumed().progress.len())),
            (section::SETTINGS, Some(self.resumed().settings.len())),
        ];
        let present = lens.iter().filter(|(_, len)| *len != Some(0)).count();
        let mut end = HEADER + ROW * (layers.len() + present);
        let mut rows = [(0, 0, 0); SECTIONS];
        for (to, (kind, len)) in rows.iter_mut().zip(lens) {
            let len = len.ok_or(BlobError::TooLarge)?;
            *to = (kind, end, len);
            let padded = len.checked_next_multiple_of(SECTION_ALIGN);
            end = padded.and_then(|len| end.checked_add(len)).ok_or(BlobError::TooLarge)?;
        }
        u32::try_from(end).map_err(|_| BlobError::TooLarge)?;
        Ok(Layout { layers, rows, total: end })
    }

    fn check_int8(
        &self,
        int8: &Int8Contents<'_>,
        layers: &[AnyLayer],
        logits: usize,
    ) -> Result<(), BlobError> {
        let malformed = |what| Err(BlobError::Malformed { what });
        let hidden = int8::hidden_layers(layers.len(), layers.iter().copied());
        let hidden = hidden.map_err(|layer| match layers.get(layer) {
            Some(got) => BlobError::NotInInt8 { layer, got: *got },
            None => BlobError::TooLarge,
        })?;
        if int8.ranges.len() != hidden {
            return malformed("its int8 ranges are not as many as its hidden layers");
        }
        if !int8.ranges.iter().all(|range| *range >= 0.0 && range.is_finite()) {
            return malformed("an int8 range is not a number of 0 or more");
        }
        let has_rescale = matches!(layers.first(), Some(AnyLayer::Rescale(_)));
        match int8.features {
            Some([lowest, highest]) if !(lowest <= highest && (highest - lowest).is_finite()) => {
                return malformed(
                    "the int8 range of its inputs is not from a low to a high number",
                );
            }
            None if has_rescale => {
                return malformed("its int8 form needs a range of its inputs, which are features");
            }
            _ => {}
        }
        let map = self.map();
        if !(map.scale > 0.0 && map.scale.is_finite() && map.shift.is_finite()) {
            return malformed("its pixels' scale is not a positive number, as int8 needs it");
        }
        let given = int8.self_test_logits;
        if !given.is_empty() && (given.len() != logits || self.self_test_inputs.is_empty()) {
            return malformed("its int8 self-test does not fit its layers");
        }
        Ok(())
    }
}

/// Kinds of sections.
const SECTIONS: usize = 18;

/// Where everything goes.
struct Layout<'l> {
    layers: &'l [AnyLayer],
    /// Kind, start, length; a length of 0 means that there is no such section.
    rows: [(u32, usize, usize); SECTIONS],
    total: usize,
}

impl Layout<'_> {
    fn sections(&self) -> impl Iterator<Item = (u32, usize, usize)> + use<'_> {
        self.rows.iter().copied().filter(|(_, _, len)| *len > 0)
    }
}

/// Outputs of all layers but the last, or nothing if the number is too large for this machine.
fn hidden_outputs(layers: &[AnyLayer]) -> Option<usize> {
    let (_, hidden) = layers.split_last()?;
    hidden.iter().try_fold(0usize, |sum, layer| sum.checked_add(layer.sizes()[1]))
}

fn layer_row(layer: &AnyLayer) -> [u8; ROW] {
    let (kind, setting) = match layer {
        AnyLayer::Dense(layer) if layer.has_bias() => (layer_kind::DENSE, 0.0),
        AnyLayer::Dense(_) => (layer_kind::DENSE_NO_BIAS, 0.0),
        AnyLayer::Relu(_) => (layer_kind::RELU, 0.0),
        AnyLayer::LeakyRelu(layer) => (layer_kind::LEAKY_RELU, layer.slope()),
        AnyLayer::Sigmoid(_) => (layer_kind::SIGMOID, 0.0),
        AnyLayer::Tanh(_) => (layer_kind::TANH, 0.0),
        AnyLayer::LayerNorm(layer) => (layer_kind::LAYER_NORM, layer.epsilon()),
        AnyLayer::Rescale(_) => (layer_kind::RESCALE, 0.0),
        // `layout` has refused the one and left out the other.
        AnyLayer::BatchNorm(_) | AnyLayer::Dropout(_) => (0, 0.0),
    };
    let [inputs, outputs] = layer.sizes();
    row([kind, inputs as u32, outputs as u32, f32::to_bits(setting)])
}

fn row(fields: [u32; 4]) -> [u8; ROW] {
    let mut row = [0; ROW];
    for (to, field) in row.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
        *to = field.to_le_bytes();
    }
    row
}

/// Names separated by zero bytes.
fn take_names<'a>(names: impl Iterator<Item = &'a str>, take: &mut dyn FnMut(&[u8])) {
    for (i, name) in names.enumerate() {
        take(if i > 0 { &[0] } else { &[] });
        take(name.as_bytes());
    }
}

/// The bytes of words, 16 words a piece.
pub(super) fn take_words<T: Copy>(
    words: &[T],
    bytes_of: impl Fn(T) -> [u8; 4],
    take: &mut dyn FnMut(&[u8]),
) {
    for piece in words.chunks(16) {
        let mut bytes = [0; 64];
        for (to, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(piece) {
            *to = bytes_of(*word);
        }
        take(bytes.get(..4 * piece.len()).unwrap_or_default());
    }
}

/// Zeros from `len` to the next multiple of `align`, which is 16 at the most.
fn pad(len: usize, align: usize, take: &mut dyn FnMut(&[u8])) {
    let zeros = len.next_multiple_of(align) - len;
    take([0; SECTION_ALIGN].get(..zeros).unwrap_or_default());
}
