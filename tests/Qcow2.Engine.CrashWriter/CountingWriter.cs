namespace Qcow2.Engine.CrashWriter;

/// <summary>Opens an image again and again, counts a number in it up, and says what it has brought to the disk.</summary>
internal static class CountingWriter
{
    internal static int Run(string path)
    {
        byte[] number = new byte[sizeof(long)];
        while (true)
        {
            long count;
            try
            {
                using Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true });
                image.Read(0, number);
                count = BitConverter.ToInt64(number) + 1;
                image.Write(0, BitConverter.GetBytes(count));
                image.Flush();
            }
            catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.ImageLocked)
            {
                continue;
            }

            Console.WriteLine(count);
        }
    }
}
