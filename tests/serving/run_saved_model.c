/* Runs one output of a SavedModel through TensorFlow's C API, which needs no Python.

   run_saved_model FOLDER INPUT OUTPUT float FILE DIMENSION...
       feeds the float32 numbers of FILE; writes the output's float32 numbers to standard output
   run_saved_model FOLDER INPUT OUTPUT text
       feeds one empty text; writes the output's first text to standard output
   run_saved_model FOLDER - OUTPUT none
       feeds nothing; writes the output's text to standard output

   INPUT and OUTPUT are tensors, OPERATION:INDEX. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

static void require(int holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "%s\n", what);
    exit(1);
  }
}

static TF_Output output_of(TF_Graph *graph, char *tensor) {
  char *colon = strrchr(tensor, ':');
  require(colon != NULL, "a tensor is OPERATION:INDEX");
  *colon = '\0';
  TF_Output output = {TF_GraphOperationByName(graph, tensor), atoi(colon + 1)};
  require(output.oper != NULL, tensor);
  return output;
}

static TF_Tensor *read_floats(const char *path, int dimensions, char **sizes) {
  int64_t shape[8];
  size_t bytes = sizeof(float);
  require(dimensions <= 8, "too many dimensions");
  for (int i = 0; i < dimensions; i++) {
    shape[i] = atoll(sizes[i]);
    bytes *= shape[i];
  }
  TF_Tensor *tensor = TF_AllocateTensor(TF_FLOAT, shape, dimensions, bytes);
  FILE *file = fopen(path, "rb");
  require(file != NULL, "the numbers cannot be opened");
  require(fread(TF_TensorData(tensor), 1, bytes, file) == bytes, "there are too few numbers");
  fclose(file);
  return tensor;
}

static TF_Tensor *empty_text(void) {
  int64_t shape[1] = {1};
  TF_Tensor *tensor = TF_AllocateTensor(TF_STRING, shape, 1, sizeof(TF_TString));
  TF_StringInit(TF_TensorData(tensor));
  TF_StringCopy(TF_TensorData(tensor), "", 0);
  return tensor;
}

int main(int count, char **arguments) {
  require(count >= 5, "too few arguments");
  const char *tags[] = {"serve"};
  const char *kind = arguments[4];
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  TF_Session *session = TF_LoadSessionFromSavedModel(options, NULL, arguments[1], tags, 1, graph,
                                                     NULL, status);
  require(TF_GetCode(status) == TF_OK, TF_Message(status));

  TF_Output input;
  TF_Tensor *fed = NULL;
  if (strcmp(kind, "none") != 0) {
    input = output_of(graph, arguments[2]);
    fed = strcmp(kind, "text") == 0 ? empty_text()
                                    : read_floats(arguments[5], count - 6, arguments + 6);
  }
  TF_Output wanted = output_of(graph, arguments[3]);
  TF_Tensor *answer = NULL;
  TF_SessionRun(session, NULL, &input, &fed, fed != NULL, &wanted, &answer, 1, NULL, 0, NULL,
                status);
  require(TF_GetCode(status) == TF_OK, TF_Message(status));

  if (TF_TensorType(answer) == TF_STRING) {
    const TF_TString *text = TF_TensorData(answer);
    fwrite(TF_StringGetDataPointer(text), 1, TF_StringGetSize(text), stdout);
  } else {
    fwrite(TF_TensorData(answer), 1, TF_TensorByteSize(answer), stdout);
  }
  return 0;
}
