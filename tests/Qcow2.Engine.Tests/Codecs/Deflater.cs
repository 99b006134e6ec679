using System.IO.Compression;

namespace Qcow2.Engine.Tests.Codecs;

/// <summary>Raw deflate with a window of 32 KiB, as .NET writes it.</summary>
internal static class Deflater
{
    internal static byte[] Deflate(byte[] bytes)
    {
        using var output = new MemoryStream();
        using (var deflater = new DeflateStream(output, CompressionLevel.Optimal))
        {
            deflater.Write(bytes);
        }

        return output.ToArray();
    }
}
