/* What must be refused is refused, by its code, and changes nothing. */
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "picomlp.h"

static int wrong;

#define EXPECT(call, error)                                                                     \
    do {                                                                                        \
        pico_error got_ = (call);                                                               \
        if (got_ != (error)) {                                                                  \
            printf("line %d: %s: expected %d, got %d (%s)\n", __LINE__, #call, (int)(error), (int)got_, \
                   pico_error_string(got_));                                                    \
            wrong = 1;                                                                          \
        }                                                                                       \
    } while (0)

static pico_model net, closed;
static pico_trainer trainer;
static uint8_t x[MODEL_INPUTS + 1];
static float scratch[MODEL_SCRATCH / 4], features[MODEL_INPUTS], outputs[MODEL_OUTPUTS + 1];
static float memory[MODEL_TRAIN_ADAM / 4];
static uint64_t copy[MODEL_BYTES / 8 + 2];
static const uint16_t label = 3, too_large = MODEL_OUTPUTS;

static void models(void) {
    unsigned char *bytes = (unsigned char *)copy;
    size_t predicted = 77;
    EXPECT(pico_classify_u8(&closed, x, MODEL_INPUTS, scratch, sizeof scratch, &predicted), PICO_ERROR_NOT_OPEN);
    EXPECT(pico_model_open(NULL, model, MODEL_BYTES), PICO_ERROR_NULL);
    EXPECT(pico_model_open(&net, NULL, MODEL_BYTES), PICO_ERROR_NULL);
    EXPECT(pico_model_open(&net, model, 10), PICO_ERROR_TRUNCATED);
    EXPECT(pico_model_open(&net, model, MODEL_BYTES - 1), PICO_ERROR_TRUNCATED);
    EXPECT(pico_model_open(&net, copy, sizeof copy), PICO_ERROR_ZEROED);
    memset(copy, 0xff, sizeof copy);
    EXPECT(pico_model_open(&net, copy, sizeof copy), PICO_ERROR_ERASED);
    memset(copy, 0x55, sizeof copy);
    EXPECT(pico_model_open(&net, copy, sizeof copy), PICO_ERROR_NOT_A_MODEL);
    memcpy(bytes + 1, model, MODEL_BYTES);
    EXPECT(pico_model_open(&net, bytes + 1, MODEL_BYTES), PICO_ERROR_MISALIGNED);
    memcpy(bytes, model, MODEL_BYTES);
    bytes[MODEL_BYTES / 2] ^= 1;
    EXPECT(pico_model_open(&net, copy, sizeof copy), PICO_ERROR_DAMAGED);
    EXPECT(pico_classify_u8(&net, x, MODEL_INPUTS, scratch, sizeof scratch, &predicted), PICO_ERROR_NOT_OPEN);
    bytes[MODEL_BYTES / 2] ^= 1;
    EXPECT(pico_model_open(&net, copy, sizeof copy), PICO_OK); /* bytes may follow */
    if (predicted != 77 || pico_model_inputs(&closed) != 0 || pico_fingerprint(NULL) != 0) wrong = 1;
    if (pico_model_inputs(&net) != MODEL_INPUTS || pico_model_outputs(&net) != MODEL_OUTPUTS) wrong = 1;
    if (pico_model_scratch(&net) != MODEL_SCRATCH) wrong = 1;
    EXPECT(pico_self_test(&net, scratch, sizeof scratch), PICO_OK);
    EXPECT(pico_self_test_int8(&net, scratch, sizeof scratch), PICO_OK);
    EXPECT(pico_self_test(&net, scratch, 8), PICO_ERROR_BUFFER_TOO_SHORT);
}

static void inference(void) {
    size_t predicted = 77;
    float zero = 0;
    EXPECT(pico_classify_u8(&net, x, MODEL_INPUTS - 1, scratch, sizeof scratch, &predicted), PICO_ERROR_INPUT_WIDTH);
    EXPECT(pico_classify_u8(&net, x, 0, scratch, sizeof scratch, &predicted), PICO_ERROR_INPUT_WIDTH);
    EXPECT(pico_classify_u8(&net, x, MODEL_INPUTS + 1, scratch, sizeof scratch, &predicted), PICO_ERROR_INPUT_WIDTH);
    EXPECT(pico_classify_u8(&net, x, SIZE_MAX, scratch, sizeof scratch, &predicted), PICO_ERROR_BUFFER_LENGTH);
    EXPECT(pico_classify_u8(&net, x, MODEL_INPUTS, scratch, 8, &predicted), PICO_ERROR_BUFFER_TOO_SHORT);
    EXPECT(pico_classify_u8(&net, x, MODEL_INPUTS, (char *)scratch + 1, 8, &predicted), PICO_ERROR_MISALIGNED);
    EXPECT(pico_classify_u8(&net, x, MODEL_INPUTS, scratch, sizeof scratch, NULL), PICO_ERROR_NULL);
    EXPECT(pico_predict_u8(&net, x, MODEL_INPUTS, scratch, sizeof scratch, outputs, MODEL_OUTPUTS + 1), PICO_ERROR_BUFFER_LENGTH);
    EXPECT(pico_predict_f32(&net, features, MODEL_INPUTS, scratch, sizeof scratch, outputs, MODEL_OUTPUTS), PICO_OK);
    EXPECT(pico_probabilities(&net, outputs, MODEL_OUTPUTS), PICO_OK);
    EXPECT(pico_probabilities(&net, outputs, 1), PICO_ERROR_BUFFER_LENGTH);
    EXPECT(pico_read_features(&net, features, MODEL_INPUTS, x), PICO_ERROR_NOT_FEATURES);
    EXPECT(pico_run_int8(&net, x, MODEL_INPUTS, scratch, 4, NULL, 0), PICO_ERROR_BUFFER_TOO_SHORT);
    features[5] = 1 / zero;
    EXPECT(pico_classify_f32(&net, features, MODEL_INPUTS, scratch, sizeof scratch, &predicted), PICO_ERROR_INPUT_NOT_FINITE);
    features[5] = 0;
    if (predicted != 77) wrong = 1;
}

static int32_t fail(void *context, const uint8_t *piece, size_t len) {
    (void)piece, (void)len;
    return ++*(int32_t *)context;
}

static void training(void) {
    uint64_t before;
    size_t size = 0;
    int32_t calls = 0;
    float loss = -1;
    if (pico_train_memory(&net, PICO_SGD, 1) > MODEL_TRAIN_SGD || pico_train_memory(&net, PICO_ADAM, 1) > MODEL_TRAIN_ADAM) wrong = 1;
    if (pico_train_memory(&net, 7, 1) != 0 || pico_train_memory(&closed, PICO_SGD, 1) != 0) wrong = 1;
    EXPECT(pico_train_step_u8(&trainer, x, &label, NULL, 1, &loss), PICO_ERROR_NOT_OPEN);
    EXPECT(pico_train_open(&trainer, &net, 7, 0.1f, memory, sizeof memory), PICO_ERROR_SETTING);
    EXPECT(pico_train_open(&trainer, &net, PICO_SGD, -1, memory, sizeof memory), PICO_ERROR_SETTING);
    EXPECT(pico_train_open(&trainer, &net, PICO_ADAM, 0.1f, memory, MODEL_TRAIN_SGD), PICO_ERROR_BUFFER_TOO_SHORT);
    EXPECT(pico_train_open(&trainer, &net, PICO_SGD, 0.1f, memory, MODEL_TRAIN_SGD), PICO_OK);
    before = pico_train_fingerprint(&trainer);
    if (before != pico_fingerprint(&net)) wrong = 1;
    EXPECT(pico_train_step_u8(&trainer, x, NULL, NULL, 1, &loss), PICO_ERROR_TARGETS);
    EXPECT(pico_train_step_u8(&trainer, x, &too_large, NULL, 1, &loss), PICO_ERROR_LABEL_OUT_OF_RANGE);
    EXPECT(pico_train_step_u8(&trainer, x, NULL, outputs, 1, &loss), PICO_ERROR_TARGET_KIND);
    EXPECT(pico_train_step_u8(&trainer, x, &label, NULL, 0, &loss), PICO_ERROR_EMPTY_BATCH);
    EXPECT(pico_train_step_u8(&trainer, x, &label, NULL, SIZE_MAX, &loss), PICO_ERROR_BUFFER_LENGTH);
    EXPECT(pico_train_set_learning_rate(&trainer, 0), PICO_ERROR_SETTING);
    if (loss != -1 || before != pico_train_fingerprint(&trainer)) wrong = 1;
    EXPECT(pico_train_save(&trainer, NULL, 0, &size), PICO_ERROR_BUFFER_TOO_SHORT);
    if (size == 0 || size > sizeof copy) wrong = 1;
    EXPECT(pico_train_write(&trainer, NULL, NULL), PICO_ERROR_NULL);
    EXPECT(pico_train_write(&trainer, fail, &calls), PICO_ERROR_WRITE);
    if (calls != 1) wrong = 1;
    EXPECT(pico_train_step_u8(&trainer, x, &label, NULL, 1, NULL), PICO_OK);
    EXPECT(pico_train_step_f32(&trainer, features, &label, NULL, 1, &loss), PICO_OK);
    if (!(loss > 0) || before == pico_train_fingerprint(&trainer)) wrong = 1;
}

int main(void) {
    models();
    inference();
    training();
    if (strcmp(pico_error_string(12345), "unknown error") != 0) wrong = 1;
    return wrong;
}
