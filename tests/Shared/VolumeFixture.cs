using System.IO.Compression;

namespace Qcow2.Tests;

/// <summary>Raw disks out of the sectors that fixtures in <c>volumes/</c> have of them: the disk's size, and then each sector with its offset.</summary>
public static class VolumeFixture
{
    private const int SectorSize = 512;
    private const int Word = sizeof(long);

    /// <summary>Makes one.</summary>
    /// <param name="name">The fixture.</param>
    /// <param name="path">Where to.</param>
    /// <returns>The path.</returns>
    public static string Write(string name, string path)
    {
        using var content = new MemoryStream();
        using (var packed = new GZipStream(File.OpenRead(Path.Combine(AppContext.BaseDirectory, "Fixtures", "volumes", name + ".gz")), CompressionMode.Decompress))
        {
            packed.CopyTo(content);
        }

        byte[] bytes = content.ToArray();
        using FileStream file = File.Create(path);
        file.SetLength(BitConverter.ToInt64(bytes, 0));
        for (int at = Word; at < bytes.Length; at += Word + SectorSize)
        {
            file.Position = BitConverter.ToInt64(bytes, at);
            file.Write(bytes, at + Word, SectorSize);
        }

        return path;
    }
}
