#include <iostream>

#include "myproject.h"
#include "parameters.h"


void myproject(
    hls::stream<input_t> &x,
    hls::stream<result_t> &layer4_out
) {

    // hls-fpga-machine-learning insert IO
    #pragma HLS INTERFACE axis port=x,layer4_out
    #pragma HLS DATAFLOW

    // hls-fpga-machine-learning insert load weights
#ifndef __SYNTHESIS__
    static bool loaded_weights = false;
    if (!loaded_weights) {
        nnet::load_weights_from_txt<model_default_t, 192>(w2, "w2.txt");
        nnet::load_weights_from_txt<model_default_t, 256>(wr2, "wr2.txt");
        nnet::load_weights_from_txt<model_default_t, 32>(b2, "b2.txt");
        nnet::load_weights_from_txt<model_default_t, 32>(br2, "br2.txt");
        nnet::load_weights_from_txt<model_default_t, 16>(w3, "w3.txt");
        nnet::load_weights_from_txt<model_default_t, 2>(b3, "b3.txt");
        loaded_weights = true;    }
#endif
    // ****************************************
    // NETWORK INSTANTIATION
    // ****************************************

    // hls-fpga-machine-learning insert layers

    hls::stream<layer2_t> layer2_out("layer2_out");
    #pragma HLS STREAM variable=layer2_out depth=1

    hls::stream<layer3_t> layer3_out("layer3_out");
    #pragma HLS STREAM variable=layer3_out depth=1

    nnet::lstm_stack<input_t, layer2_t, config2>(x, layer2_out, w2, wr2, b2, br2); // r

    nnet::dense<layer2_t, layer3_t, config3>(layer2_out, layer3_out, w3, b3); // d

    nnet::sigmoid<layer3_t, result_t, sigmoid_config4>(layer3_out, layer4_out); // d_sigmoid

}

