"""Read what lies beside the tensors: configs, class names, licences."""
