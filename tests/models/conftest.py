import cxrbench.models  # noqa: F401 - timm can be imported after it, whatever torchvision is installed
