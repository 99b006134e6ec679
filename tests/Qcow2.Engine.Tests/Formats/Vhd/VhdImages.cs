using Qcow2.Engine.Formats.Vhd;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vhd;

/// <summary>Opens what a test has made.</summary>
internal static class VhdImages
{
    internal static VhdDisk Open(byte[] file, VhdParent? parent = null, bool isSaid = false, bool isSalvage = false, List<string>? problems = null)
        => Open(new MemoryStorage(file), parent, isSaid, isSalvage, problems);

    internal static VhdDisk Open(MemoryStorage storage, VhdParent? parent = null, bool isSaid = false, bool isSalvage = false, List<string>? problems = null)
        => VhdDisk.Open(storage, VhdStructure.Read(storage, isSaid, isSalvage), parent, isSalvage, problems is null ? null : problems.Add);

    internal static byte[] ReadAll(VirtualDisk disk)
    {
        byte[] content = new byte[disk.Length];
        Assert.Equal(content.Length, disk.Read(0, content));
        return content;
    }

    internal static byte[] RandomBytes(int count, int seed)
    {
        byte[] bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>A bitmap of a block all of which is there.</summary>
    internal static byte[] AllOnes(VhdBuilder builder)
    {
        byte[] bitmap = new byte[builder.BitmapBytes];
        bitmap.AsSpan().Fill(0xff);
        return bitmap;
    }
}
