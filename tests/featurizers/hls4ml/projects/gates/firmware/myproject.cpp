#include <iostream>

#include "myproject.h"
#include "parameters.h"


void myproject(
    input_t x[10*6],
    result_t layer4_out[2]
) {

    // hls-fpga-machine-learning insert IO
    #pragma HLS ARRAY_RESHAPE variable=x complete dim=0
    #pragma HLS ARRAY_PARTITION variable=layer4_out complete dim=0
    #pragma HLS INTERFACE ap_vld port=x,layer4_out
    #pragma HLS DATAFLOW

    // hls-fpga-machine-learning insert load weights
#ifndef __SYNTHESIS__
    static bool loaded_weights = false;
    if (!loaded_weights) {
        nnet::load_weights_from_txt<model_default_t, 144>(w2, "w2.txt");
        nnet::load_weights_from_txt<model_default_t, 192>(wr2, "wr2.txt");
        nnet::load_weights_from_txt<model_default_t, 24>(b2, "b2.txt");
        nnet::load_weights_from_txt<model_default_t, 24>(br2, "br2.txt");
        nnet::load_weights_from_txt<model_default_t, 16>(w3, "w3.txt");
        nnet::load_weights_from_txt<model_default_t, 2>(b3, "b3.txt");
        loaded_weights = true;    }
#endif
    // ****************************************
    // NETWORK INSTANTIATION
    // ****************************************

    // hls-fpga-machine-learning insert layers

    layer2_t layer2_out[8];
    #pragma HLS ARRAY_PARTITION variable=layer2_out complete dim=0

    layer3_t layer3_out[2];
    #pragma HLS ARRAY_PARTITION variable=layer3_out complete dim=0

    nnet::gru_stack<input_t, layer2_t, config2>(x, layer2_out, w2, wr2, b2, br2); // r

    nnet::dense<layer2_t, layer3_t, config3>(layer2_out, layer3_out, w3, b3); // d

    nnet::sigmoid<layer3_t, result_t, sigmoid_config4>(layer3_out, layer4_out); // d_sigmoid

}

