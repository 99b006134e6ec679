using Qcow2.Engine.Storage;

namespace Qcow2.Engine.CrashWriter;

/// <summary>Replaces a file, or begins to and waits to be ended.</summary>
internal static class ReplacementWriter
{
    internal static int Run(string path, bool canHaveNoName, bool waits)
    {
        try
        {
            using var file = ReplacementFile.Create(path, overwrite: true, canHaveNoName);
            file.Storage.Write(0, new byte[1 << 20]);
            if (waits)
            {
                Console.WriteLine("begun");
                Thread.Sleep(Timeout.Infinite);
            }

            file.Commit();
            Console.WriteLine("replaced");
        }
        catch (Qcow2Exception e)
        {
            Console.WriteLine(e.Code);
        }

        return 0;
    }
}
