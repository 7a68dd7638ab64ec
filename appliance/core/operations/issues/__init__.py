"""What is wrong with the appliance itself, or soon will be, each with what a person can do."""
