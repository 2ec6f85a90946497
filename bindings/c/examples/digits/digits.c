/* Classifies 8x8 digits in f32 and in int8, and trains a network on them. Prints the same on every machine.
 *
 * model.h and model.c: picomlp train --data digits8x8.csv --pixel-max 16 --hidden 6 ... (xtask/src/c_library.rs has all of it),
 * picomlp quantize --keep-f32, picomlp export -o model.h. */
#include <stdio.h>

#include "model.h"
#include "picomlp.h"
#include "samples.h"

static pico_model digits;
static pico_trainer trainer;
static float scratch[MODEL_SCRATCH / 4];
static float memory[MODEL_TRAIN_ADAM / 4]; /* less for SGD: MODEL_TRAIN_SGD */

/* FNV-1a, as picomlp's fingerprints. */
static uint64_t hash;

static int32_t add_to_hash(void *context, const uint8_t *bytes, size_t len) {
    size_t i;
    for (i = 0; i < len; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    *(size_t *)context += len;
    return 0;
}

static void print_hash(const char *what, uint64_t fingerprint) {
    printf("%s %08lx%08lx\n", what, (unsigned long)(fingerprint >> 32), (unsigned long)(fingerprint & 0xffffffffu));
}

static int failed(const char *call, pico_error error) {
    if (error != PICO_OK) printf("%s: %s\n", call, pico_error_string(error));
    return error != PICO_OK;
}

/* Classifies all samples, and takes the fingerprint of all outputs. */
static int classify(int int8) {
    size_t sample, bytes = 0, predicted;
    float logits[MODEL_OUTPUTS];
    int32_t integers[MODEL_OUTPUTS];
    pico_error error;
    hash = 0xcbf29ce484222325u;
    printf(int8 ? "int8    " : "classes ");
    for (sample = 0; sample < SAMPLES; sample++) {
        const uint8_t *x = samples[sample];
        error = int8 ? pico_classify_int8(&digits, x, MODEL_INPUTS, scratch, sizeof scratch, &predicted)
                     : pico_classify_u8(&digits, x, MODEL_INPUTS, scratch, sizeof scratch, &predicted);
        if (failed("classify", error)) return 1;
        printf("%u", (unsigned)predicted);
        error = int8 ? pico_run_int8(&digits, x, MODEL_INPUTS, scratch, sizeof scratch, integers, MODEL_OUTPUTS)
                     : pico_predict_u8(&digits, x, MODEL_INPUTS, scratch, sizeof scratch, logits, MODEL_OUTPUTS);
        if (failed("predict", error)) return 1;
        add_to_hash(&bytes, int8 ? (const uint8_t *)integers : (const uint8_t *)logits, 4 * MODEL_OUTPUTS);
    }
    print_hash("\noutputs", hash);
    return 0;
}

/* Trains from scratch, one sample a step, and saves without a second copy. */
static int train(const char *name, pico_optimizer optimizer, float learning_rate) {
    size_t epoch, sample, saved = 0;
    float loss = 0, sum = 0;
    if (failed("open", pico_train_open(&trainer, &digits, optimizer, learning_rate, memory, sizeof memory))) return 1;
    if (failed("reset", pico_train_reset(&trainer, 1))) return 1;
    for (epoch = 0; epoch < 5; epoch++) {
        for (sum = 0, sample = 0; sample < SAMPLES; sample++) {
            if (failed("step", pico_train_step_u8(&trainer, samples[sample], &labels[sample], NULL, 1, &loss))) return 1;
            sum += loss;
        }
    }
    printf("%s, mean loss in thousandths %ld\n", name, (long)(1000 * sum / SAMPLES));
    print_hash("fingerprint", pico_train_fingerprint(&trainer));
    hash = 0xcbf29ce484222325u;
    if (failed("save", pico_train_write(&trainer, add_to_hash, &saved))) return 1;
    printf("file of %u bytes", (unsigned)saved);
    print_hash(",", hash);
    return 0;
}

int main(void) {
    if (pico_version() != PICO_VERSION) return 1;
    if (failed("open", pico_model_open(&digits, model, sizeof model))) return 1;
    if (failed("self-test", pico_self_test(&digits, scratch, sizeof scratch))) return 1;
    if (failed("self-test in int8", pico_self_test_int8(&digits, scratch, sizeof scratch))) return 1;
    print_hash("model", pico_fingerprint(&digits));
    return classify(0) || classify(1) || train("sgd", PICO_SGD, 0.05f) || train("adam", PICO_ADAM, 0.01f);
}
