// The names of Keras 3 and what becomes of them here: data of scripts/generate-parity.ts. A name alone is looked up in the
// namespaces of its group in camelCase; an entry beside it says what the lookup cannot know.

export interface Note {
  /** Where it is, from the package's root, when not under its own name. */
  readonly as?: string;
  /** It is there, but not the same: why. */
  readonly differs?: string;
  /** It has no place here: why. */
  readonly notApplicable?: string;
}

export interface Group {
  readonly title: string;
  /** Paths from the root of the package in which names are looked up. */
  readonly namespaces: readonly string[];
  readonly names: string;
  readonly notes?: Readonly<Record<string, Note>>;
}

const BACKEND = "belongs to a backend of Keras that is not part of this library";
const later = (what: string): Note => ({ notApplicable: `${what} is not part of this library yet` });

export const GROUPS: readonly Group[] = [
  {
    title: "Layers: core and shape",
    namespaces: ["layers", ""],
    names: `Input InputLayer Dense EinsumDense TernaryDense Embedding ReversibleEmbedding Identity Lambda Masking Activation
      Wrapper Layer InputSpec Flatten Reshape Permute RepeatVector Cropping1D Cropping2D Cropping3D ZeroPadding1D ZeroPadding2D
      ZeroPadding3D UpSampling1D UpSampling2D UpSampling3D Add Average Concatenate Dot Maximum Minimum Multiply Subtract`,
    notes: {
      TernaryDense: later("a layer of ternary weights (in Keras from 3.16 on, 3.15 has none)"),
      Lambda: { as: "layers.lambda", differs: "cannot be saved: files hold no code" },
    },
  },
  {
    title: "Layers: activation",
    namespaces: ["layers"],
    names: "ReLU LeakyReLU PReLU ELU Softmax",
  },
  {
    title: "Activation functions",
    namespaces: ["ops"],
    names: `celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
      log_softmax mish relu relu6 selu sigmoid silu swish soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid
      sparsemax squareplus tanh tanh_shrink threshold`,
    notes: {
      sparsemax: {
        as: "ops.sparsemax",
        differs: "follows the paper where Keras 3.15 has rows that do not sum to 1",
      },
    },
  },
  {
    title: "Layers: convolution and pooling",
    namespaces: ["layers"],
    names: `Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose DepthwiseConv1D DepthwiseConv2D SeparableConv1D
      SeparableConv2D MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D
      GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling1D GlobalAveragePooling2D
      GlobalAveragePooling3D AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D
      AdaptiveMaxPooling2D AdaptiveMaxPooling3D`,
  },
  {
    title: "Layers: recurrent",
    namespaces: ["layers"],
    names: `RNN SimpleRNN SimpleRNNCell GRU GRUCell LSTM LSTMCell StackedRNNCells ConvLSTM1D ConvLSTM2D ConvLSTM3D Bidirectional
      TimeDistributed`,
  },
  {
    title: "Layers: attention and normalisation",
    namespaces: ["layers"],
    names: `Attention AdditiveAttention MultiHeadAttention GroupQueryAttention BatchNormalization LayerNormalization
      GroupNormalization RMSNormalization SpectralNormalization UnitNormalization`,
    notes: {
      BatchNormalization: {
        as: "layers.batchNormalization",
        differs: "`synchronized` is false: one machine trains a model",
      },
    },
  },
  {
    title: "Layers: regularisation",
    namespaces: ["layers"],
    names: `Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D AlphaDropout GaussianDropout GaussianNoise
      ActivityRegularization`,
  },
  {
    title: "Layers: preprocessing of tables, text and sound",
    namespaces: ["layers"],
    names: `Normalization Discretization CategoryEncoding Hashing HashedCrossing StringLookup IntegerLookup TextVectorization
      MelSpectrogram STFTSpectrogram`,
  },
  {
    title: "Layers: preprocessing of images",
    namespaces: ["layers"],
    names: `Resizing Rescaling CenterCrop Pipeline RandomCrop RandomFlip RandomTranslation RandomRotation RandomZoom
      RandomBrightness RandomContrast RandomHue RandomSaturation RandomSharpness RandomShear RandomPerspective RandomErasing
      RandomElasticTransform RandomGaussianBlur RandomGrayscale RandomInvert RandomPosterization RandomColorDegeneration
      RandomColorJitter AutoContrast ContrastLimitedAdaptiveHistogramEqualization Equalization Solarization RandAugment AugMix
      CutMix MixUp MaxNumBoundingBoxes`,
    notes: { MaxNumBoundingBoxes: later("bounding boxes as data") },
  },
  {
    title: "Layers: wrappers of other frameworks",
    namespaces: ["layers"],
    names: "TFSMLayer JaxLayer FlaxLayer TorchModuleWrapper",
    notes: Object.fromEntries(
      ["TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"].map((name) => [
        name,
        { notApplicable: BACKEND },
      ]),
    ),
  },
  {
    title: "Losses",
    namespaces: ["losses"],
    names: `BinaryCrossentropy BinaryFocalCrossentropy CategoricalCrossentropy CategoricalFocalCrossentropy
      CategoricalGeneralizedCrossEntropy SparseCategoricalCrossentropy KLDivergence Poisson MeanSquaredError MeanAbsoluteError
      MeanAbsolutePercentageError MeanSquaredLogarithmicError CosineSimilarity Huber LogCosh Hinge SquaredHinge
      CategoricalHinge Dice Tversky Circle CTC`,
  },
  {
    title: "Optimizers",
    namespaces: ["optimizers"],
    names: `SGD RMSprop Adam AdamW Adadelta Adagrad Adamax Adafactor Nadam Ftrl Lion Lamb Muon ScheduleFreeAdamW
      LossScaleOptimizer MultiOptimizer OptimizerMap`,
  },
  {
    title: "Learning-rate schedules",
    namespaces: ["optimizers.schedules"],
    names: `ExponentialDecay PiecewiseConstantDecay PolynomialDecay InverseTimeDecay CosineDecay CosineDecayRestarts
      LearningRateSchedule`,
  },
  {
    title: "Metrics",
    namespaces: ["metrics"],
    names: `Accuracy BinaryAccuracy CategoricalAccuracy SparseCategoricalAccuracy TopKCategoricalAccuracy
      SparseTopKCategoricalAccuracy AUC Precision Recall PrecisionAtRecall RecallAtPrecision SensitivityAtSpecificity
      SpecificityAtSensitivity F1Score FBetaScore TruePositives TrueNegatives FalsePositives FalseNegatives MeanSquaredError
      RootMeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredLogarithmicError LogCoshError R2Score
      CosineSimilarity PearsonCorrelation ConcordanceCorrelation BinaryCrossentropy CategoricalCrossentropy
      SparseCategoricalCrossentropy KLDivergence Poisson Hinge SquaredHinge CategoricalHinge IoU BinaryIoU MeanIoU OneHotIoU
      OneHotMeanIoU Mean Sum MeanMetricWrapper Metric`,
    notes: { LogCoshError: { as: "metrics.logCosh" }, MeanMetricWrapper: { as: "metrics.mean" } },
  },
  {
    title: "Callbacks",
    namespaces: ["callbacks", ""],
    names: `Callback CallbackList History ProgbarLogger CSVLogger EarlyStopping ModelCheckpoint BackupAndRestore
      LearningRateScheduler ReduceLROnPlateau TerminateOnNaN TensorBoard LambdaCallback SwapEMAWeights RemoteMonitor
      OrbaxCheckpoint`,
    notes: {
      CallbackList: { notApplicable: "fit, evaluate and predict take a list of callbacks" },
      ProgbarLogger: {
        notApplicable: "the progress line is the option `verbose` of fit, evaluate and predict",
      },
      LambdaCallback: { as: "callbacks.lambda" },
      OrbaxCheckpoint: { notApplicable: BACKEND },
    },
  },
  {
    title: "Initialisers",
    namespaces: ["initializers"],
    names: `Zeros Ones Constant Identity Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling GlorotNormal
      GlorotUniform HeNormal HeUniform LecunNormal LecunUniform STFT`,
  },
  {
    title: "Regularisers and constraints",
    namespaces: ["regularizers", "constraints"],
    names: "L1 L2 L1L2 OrthogonalRegularizer Regularizer MaxNorm MinMaxNorm NonNeg UnitNorm Constraint",
  },
  {
    title: "Models",
    namespaces: ["Model.prototype", ""],
    names: `Model Sequential clone_model load_model save_model model_from_json compile fit evaluate predict train_on_batch
      test_on_batch predict_on_batch compute_loss train_step test_step predict_step reset_metrics summary save save_weights load_weights get_layer get_config to_json export quantize`,
    notes: {
      compute_loss: {
        as: "Model",
        differs: "`computeLoss`, for subclasses: is given what compile's losses come to",
      },
      train_step: { as: "Model", differs: "`trainStep`, for subclasses: traced, returns scalars to log" },
      test_step: { as: "Model", differs: "`testStep`, for subclasses: traced, returns scalars to log" },
      predict_step: { as: "Model", differs: "a subclass overrides `call`" },
      reset_metrics: { notApplicable: "every fit, evaluate, trainOnBatch and testOnBatch counts anew" },
      save_model: { as: "Model.prototype.save", differs: "a method of the model alone" },
      to_json: { as: "Model.prototype.toJSON", differs: "gives plain data, which JSON.stringify writes" },
      export: later("export to other formats"),
      quantize: later("quantization"),
    },
  },
  {
    title: "Architectures (keras.applications)",
    namespaces: ["applications"],
    names: `ResNet50 ResNet101 ResNet152 ResNet50V2 ResNet101V2 ResNet152V2 MobileNetV2 VGG16 VGG19 MobileNet
      MobileNetV3Small MobileNetV3Large DenseNet121 DenseNet169 DenseNet201 EfficientNetB0 EfficientNetV2B0 ConvNeXtTiny
      InceptionV3 InceptionResNetV2 NASNetMobile NASNetLarge Xception`,
    notes: {
      ...Object.fromEntries(
        ["ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2", "ResNet152V2"].map((name) => [
          name,
          { as: "applications.resnet", differs: "one function with `depth` and `version`; no downloads" },
        ]),
      ),
      VGG16: { as: "applications.vgg", differs: "one function with `depth`; no downloads" },
      VGG19: { as: "applications.vgg", differs: "one function with `depth`; no downloads" },
      MobileNetV2: { as: "applications.mobilenetV2", differs: "no downloads" },
      ...Object.fromEntries(
        `MobileNet MobileNetV3Small MobileNetV3Large DenseNet121 DenseNet169 DenseNet201 EfficientNetB0 EfficientNetV2B0
        ConvNeXtTiny InceptionV3 InceptionResNetV2 NASNetMobile NASNetLarge Xception`
          .split(/\s+/)
          .map((name) => [name, later("this architecture")]),
      ),
    },
  },
  {
    title: "Utilities",
    namespaces: ["utils", ""],
    names: `set_random_seed to_categorical normalize pad_sequences plot_model model_to_dot Progbar split_dataset PyDataset
      FeatureSpace get_file image_dataset_from_directory audio_dataset_from_directory text_dataset_from_directory
      timeseries_dataset_from_array bounding_boxes register_keras_serializable CustomObjectScope`,
    notes: {
      model_to_dot: { as: "modelToSvg", differs: "draws by itself instead of writing a file for Graphviz" },
      Progbar: { notApplicable: "the progress line is the option `verbose` of fit, evaluate and predict" },
      PyDataset: { as: "Dataset", differs: "any iterable or async iterable of batches will do" },
      timeseries_dataset_from_array: {
        as: "utils.timeseriesFromArray",
        differs: "gives what Dataset and fit take",
      },
      image_dataset_from_directory: {
        as: "myelin/images: imagesFromDirectory",
        differs: "gives the part for validation beside it, instead of `subset`",
      },
      audio_dataset_from_directory: {
        as: "myelin/audio: audioFromDirectory",
        differs: "gives the part for validation beside it, instead of `subset`",
      },
      text_dataset_from_directory: {
        as: "myelin/text: textFromDirectory",
        differs: "gives the part for validation beside it, instead of `subset`",
      },
      get_file: { notApplicable: "the library never downloads" },
      bounding_boxes: later("bounding boxes as data"),
      FeatureSpace: {
        as: "layers.featureSpace",
        differs: "columns are typed arrays or a Table; the result is always one row of numbers",
      },
      register_keras_serializable: {
        as: "registerLayer",
        differs: "for layers; other objects are plain functions",
      },
      CustomObjectScope: {
        notApplicable: "loadModel, modelFromJSON and the like take `customLayers`",
      },
    },
  },
  {
    title: "Random numbers",
    namespaces: ["ops.random", ""],
    names:
      "beta binomial categorical dropout gamma normal randint shuffle truncated_normal uniform SeedGenerator",
  },
  {
    title: "Data sets, quantizers, distillation, precision",
    namespaces: [""],
    names: `keras.datasets keras.quantizers keras.distillation keras.dtype_policies keras.distribution`,
    notes: {
      "keras.datasets": { notApplicable: "the library never downloads; loaders read files of one's own" },
      "keras.quantizers": later("quantization"),
      "keras.distillation": later("distillation as a class; a custom loss does it"),
      "keras.dtype_policies": { notApplicable: "float32 is the one working type" },
      "keras.distribution": later("training on several machines"),
    },
  },
];
