#include <iostream>

#include "myproject.h"
#include "parameters.h"


void myproject(
    input_t x[20*4],
    result_t layer6_out[3]
) {

    // hls-fpga-machine-learning insert IO
    #pragma HLS ARRAY_RESHAPE variable=x complete dim=0
    #pragma HLS ARRAY_PARTITION variable=layer6_out complete dim=0
    #pragma HLS INTERFACE ap_vld port=x,layer6_out
    #pragma HLS DATAFLOW

    // hls-fpga-machine-learning insert load weights
#ifndef __SYNTHESIS__
    static bool loaded_weights = false;
    if (!loaded_weights) {
        nnet::load_weights_from_txt<model_default_t, 120>(w2, "w2.txt");
        nnet::load_weights_from_txt<model_default_t, 6>(b2, "b2.txt");
        nnet::load_weights_from_txt<model_default_t, 18>(w5, "w5.txt");
        nnet::load_weights_from_txt<model_default_t, 3>(b5, "b5.txt");
        loaded_weights = true;    }
#endif
    // ****************************************
    // NETWORK INSTANTIATION
    // ****************************************

    // hls-fpga-machine-learning insert layers

    layer2_t layer2_out[16*6];
    #pragma HLS ARRAY_PARTITION variable=layer2_out complete dim=0

    layer3_t layer3_out[16*6];
    #pragma HLS ARRAY_PARTITION variable=layer3_out complete dim=0

    layer4_t layer4_out[6];
    #pragma HLS ARRAY_PARTITION variable=layer4_out complete dim=0

    layer5_t layer5_out[3];
    #pragma HLS ARRAY_PARTITION variable=layer5_out complete dim=0

    nnet::conv_1d_cl<input_t, layer2_t, config2>(x, layer2_out, w2, b2); // k1

    nnet::relu<layer2_t, layer3_t, relu_config3>(layer2_out, layer3_out); // k1_relu

    nnet::global_pooling1d_cl<layer3_t, layer4_t, config4>(layer3_out, layer4_out); // g

    nnet::dense<layer4_t, layer5_t, config5>(layer4_out, layer5_out, w5, b5); // d

    nnet::tanh<layer5_t, result_t, tanh_config6>(layer5_out, layer6_out); // d_tanh

}

