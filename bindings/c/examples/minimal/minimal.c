#include <stdio.h>

#include "model.h" /* picomlp export digits.pmlp -o model.h */
#include "picomlp.h"

static pico_model digits;
static float scratch[MODEL_SCRATCH / 4];
static const unsigned char image[MODEL_INPUTS];

int main(void) {
    size_t predicted = 0;
    pico_error error = pico_model_open(&digits, model, sizeof model);
    if (!error) error = pico_classify_u8(&digits, image, sizeof image, scratch, sizeof scratch, &predicted);
    if (error) return puts(pico_error_string(error)), 1;
    printf("class %u\n", (unsigned)predicted);
    return 0;
}
