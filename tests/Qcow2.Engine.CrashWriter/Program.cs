using System.Globalization;
using Qcow2.Engine;
using Qcow2.Engine.CrashWriter;

if (args[0] == "replace")
{
    return ReplacementWriter.Run(args[1], canHaveNoName: args[2] == "unnamed", waits: args[3] == "wait");
}

if (args[0] == "count")
{
    return CountingWriter.Run(args[1]);
}

// Writes to an image until it is killed. Prints the number of writes that a flush has brought to the disk, each time.
using Qcow2Image image = Qcow2Image.Open(args[0], new Qcow2OpenOptions { Writable = true });
var sequence = new WriteSequence(int.Parse(args[1], CultureInfo.InvariantCulture), (int)image.Length);
Console.WriteLine(0);
for (int count = 1; ; count++)
{
    (int offset, byte[] data, bool isFlushed) = sequence.Next();
    image.Write(offset, data);
    if (isFlushed)
    {
        image.Flush();
        Console.WriteLine(count);
    }
}
