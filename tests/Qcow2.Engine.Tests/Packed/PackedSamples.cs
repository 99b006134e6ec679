using System.Diagnostics;
using Qcow2.Engine.Packed;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Packed;

/// <summary>Files that the real programs packed.</summary>
internal static class PackedSamples
{
    /// <summary>What disks hold: zeros, text that repeats itself near and far, noise, runs.</summary>
    internal static byte[] Content(int length, int seed)
    {
        var random = new Random(seed);
        byte[] content = new byte[length];
        for (int position = 0; position < length;)
        {
            Span<byte> part = content.AsSpan(position, Math.Min(length - position, random.Next(1, 40_000)));
            switch (random.Next(5))
            {
                case 0:
                    break;
                case 1:
                    byte[] noise = new byte[part.Length];
                    random.NextBytes(noise);
                    noise.CopyTo(part);
                    break;
                case 2:
                    part.Fill((byte)random.Next(256));
                    break;
                case 3 when position > 0:
                    int from = random.Next(position);
                    for (int i = 0; i < part.Length; i++)
                    {
                        part[i] = content[from + (i % (position - from))];
                    }

                    break;
                default:
                    for (int i = 0; i < part.Length; i++)
                    {
                        part[i] = (byte)"etaoin shrdlu\n"[random.Next(14)];
                    }

                    break;
            }

            position += part.Length;
        }

        return content;
    }

    /// <summary>Packs with a program that reads its input and writes its output.</summary>
    internal static byte[] Pack(byte[] content, string command)
    {
        string[] words = command.Split(' ');
        var start = new ProcessStartInfo(words[0], words.Skip(1)) { RedirectStandardInput = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        Task writing = Task.Run(() =>
        {
            process.StandardInput.BaseStream.Write(content, 0, content.Length);
            process.StandardInput.Close();
        });
        var output = new MemoryStream();
        process.StandardOutput.BaseStream.CopyTo(output);
        writing.GetAwaiter().GetResult();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, command);
        return output.ToArray();
    }

    /// <summary>Packs a file, whose length the program then knows.</summary>
    internal static byte[] PackFile(TempFolder folder, byte[] content, string command)
    {
        string path = folder.File("to-pack");
        File.WriteAllBytes(path, content);
        return Pack([], $"{command} {path}");
    }

    internal static string KindOf(string command) => command.Split(' ')[0];

    internal static PackedKind Kind(string command) => PackedKind.Find(KindOf(command))!;

    /// <summary>Unpacks all, in pieces of odd lengths.</summary>
    internal static byte[] Unpack(byte[] packed, string kind, int piece = 77_777)
    {
        using PackedReader reader = PackedKind.Find(kind)!.Open(new PackedInput(new MemoryStorage(packed)));
        var output = new MemoryStream();
        byte[] buffer = new byte[piece];
        while (reader.Read(buffer) is int count and > 0)
        {
            output.Write(buffer, 0, count);
        }

        Assert.Equal(0, reader.Read(buffer));
        return output.ToArray();
    }
}
