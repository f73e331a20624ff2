-- Beside the database of the devices, one for MLflow.
CREATE DATABASE mlflow;
