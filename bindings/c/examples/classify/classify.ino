// Classifies an image of a digit. For a model of your own: picomlp export digits.pmlp -o model.h
#include <picomlp.h>

#include "model.h"

static pico_model digits;
static float scratch[MODEL_SCRATCH / 4];
static const uint8_t image[MODEL_INPUTS] = {
    0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0, 0, 3, 15, 2, 0, 11, 8, 0, 0, 4, 12, 0, 0, 8, 8, 0,
    0, 5, 8, 0, 0, 9, 8, 0, 0, 4, 11, 0, 1, 12, 7, 0, 0, 2, 14, 5, 10, 12, 0, 0, 0, 0, 6, 13, 10, 0, 0, 0};

void setup() {
    Serial.begin(115200);
    pico_error error = pico_model_open(&digits, model, sizeof model);
    if (error) Serial.println(pico_error_string(error));
}

void loop() {
    size_t predicted = 0;
    pico_error error = pico_classify_u8(&digits, image, sizeof image, scratch, sizeof scratch, &predicted);
    if (error) {
        Serial.println(pico_error_string(error));
    } else {
        Serial.print("class ");
        Serial.println((unsigned)predicted);
    }
    delay(1000);
}
