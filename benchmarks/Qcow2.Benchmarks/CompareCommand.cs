using Qcow2.Engine;

namespace Qcow2.Benchmarks;

/// <summary>Compares two disks and prints what <c>qemu-img compare</c> prints.</summary>
internal static class CompareCommand
{
    internal static int Compare(string path, string differencePath, TextWriter output)
    {
        using VirtualDisk disk = Open(path);
        using VirtualDisk difference = Open(differencePath);
        Qcow2CompareResult result = DiskComparer.Compare(disk, difference);
        output.WriteLine(result.AreEqual ? "Images are identical." : $"Content mismatch at offset {result.FirstDifference}!");
        return result.AreEqual ? 0 : 1;
    }

    private static VirtualDisk Open(string path)
        => path.EndsWith(".raw", StringComparison.Ordinal) ? RawDisk.Open(path) : Qcow2Image.Open(path, Qcow2OpenOptions.Sequential);
}
