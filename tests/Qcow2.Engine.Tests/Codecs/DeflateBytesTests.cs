using System.Security.Cryptography;
using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Tests.Codecs;

/// <summary>The same bytes on every framework and machine, from one version to the next: these tests are run for each build of the engine.</summary>
/// <remarks>Whoever makes the encoder better changes the sums; that users' files change is then to be said in CHANGELOG.md.</remarks>
public sealed class DeflateBytesTests
{
    [Theory]
    [InlineData(1, 12, "36-8E-6E-3C-90-C2-CD-73")]
    [InlineData(2, 12, "6F-E5-09-92-C5-10-56-0C")]
    [InlineData(3, 12, "D7-2D-D1-02-79-BB-D8-E6")]
    [InlineData(4, 12, "B5-E6-C0-B5-A1-E5-18-FA")]
    [InlineData(5, 12, "4B-9E-B1-20-B0-E8-DB-4C")]
    [InlineData(6, 12, "21-2C-14-17-37-8A-7D-D4")]
    [InlineData(7, 12, "54-FF-56-FC-08-69-28-5F")]
    [InlineData(8, 12, "DE-C0-5F-E6-C2-1B-4B-94")]
    [InlineData(9, 12, "33-67-E1-41-F4-DA-D8-3F")]
    [InlineData(6, 15, "03-53-2D-78-43-7A-28-CD")]
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
