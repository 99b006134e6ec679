using System.Security.Cryptography;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Tests.Codecs;

/// <summary>The same bytes on every framework and machine, from one version to the next: these tests are run for each build of the engine.</summary>
/// <remarks>Whoever makes the encoder better changes the sums; that users' files change is then to be said in CHANGELOG.md.</remarks>
public sealed class DeflateBytesTests
{
    [Theory]
    [InlineData(1, 12, "D3-04-85-EE-19-24-9F-BB")]
    [InlineData(2, 12, "8F-15-AA-40-6C-55-1A-5A")]
    [InlineData(3, 12, "60-5F-8C-A9-AA-55-BE-E3")]
    [InlineData(4, 12, "87-90-78-39-FA-E7-16-D1")]
    [InlineData(5, 12, "27-F0-A1-29-BD-63-91-FA")]
    [InlineData(6, 12, "74-11-AE-72-03-51-CC-9B")]
    [InlineData(7, 12, "C9-20-CC-B3-B8-0C-0E-78")]
    [InlineData(8, 12, "B9-6C-CE-9A-F5-1D-C0-9E")]
    [InlineData(9, 12, "B6-5D-1B-32-36-59-65-3E")]
    [InlineData(6, 15, "DC-AC-FC-05-36-57-54-DE")]
    public void Same_data_becomes_the_same_bytes_everywhere(int level, int windowBits, string sum)
    {
        using var encoder = new DeflateEncoder(level, windowBits);
        using var sha = SHA256.Create();
        foreach (int length in new[] { 512, 4096, 65_536, 140_000 })
        {
            byte[] compressed = new byte[length];

            // The program differs from build to build.
            foreach (string name in ClusterContents.Names.Where(name => name != "program"))
            {
                Add(encoder.TryEncode(ClusterContents.Create(name, length), compressed, out int count) ? compressed : [], count);
            }

            // What is there of all of these, as in a file system.
            byte[] mixed = [.. ClusterContents.Names.Where(name => name != "program").SelectMany(name => ClusterContents.Create(name, length / 16))];
            Add(encoder.TryEncode(mixed, compressed, out int mixedCount) ? compressed : [], mixedCount);
        }

        sha.TransformFinalBlock([], 0, 0);
        Assert.Equal(sum, BitConverter.ToString(sha.Hash!, 0, 8));

        void Add(byte[] stream, int count)
        {
            sha.TransformBlock(BitConverter.GetBytes(count), 0, sizeof(int), null, 0);
            sha.TransformBlock(stream, 0, count, null, 0);
        }
    }
}
