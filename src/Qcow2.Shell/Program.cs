Console.WriteLine("qcow2sh");
