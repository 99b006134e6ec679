using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Qcow2.Engine;

namespace Qcow2.Benchmarks;

/// <summary>
/// What <c>qemu-img bench</c> does, in this engine: the same requests at the same offsets, timed from the first request to
/// the end of the flush after the last. Two passes in one process, for a session pays for the JIT once: the first is
/// printed as <c>cold</c>, the second as <c>warm</c>.
/// </summary>
internal static class WritingCommands
{
    private const int SmallBytes = 4096;
    private const int LargeBytes = 1 << 20;
    private const int SmallRequests = 10_000;
    private const int Callers = 20;
    private const long DiskSize = 1L << 30;

    // About 0.618 of the disk, in blocks an odd number: the requests scatter over all of it, no two at one place.
    private const long Step = 162_013L * SmallBytes;

    /// <summary>A fresh image: scattered writes with 20 callers, one flush, then reads of the same places.</summary>
    internal static void Scattered(string path, TextWriter output)
    {
        foreach (string pass in (string[])["cold", "warm"])
        {
            using Qcow2Image image = Qcow2Image.Create(path, DiskSize, overwrite: true);
            Print(output, pass, "write", SmallRequests / WriteScattered(image, StepOffset));
            Print(output, pass, "read", SmallRequests / ReadScattered(image, StepOffset, mustMatch: true));
        }
    }

    /// <summary>As <see cref="Scattered"/>, at random offsets, of which several may lie in one cluster.</summary>
    internal static void Random(string path, TextWriter output)
    {
        var random = new Random(20_240_229);
        long[] offsets = [.. Enumerable.Range(0, SmallRequests).Select(_ => random.NextInt64(DiskSize / SmallBytes) * SmallBytes)];
        foreach (string pass in (string[])["cold", "warm"])
        {
            using Qcow2Image image = Qcow2Image.Create(path, DiskSize, overwrite: true);
            Print(output, pass, "write", SmallRequests / WriteScattered(image, i => offsets[i]));
            Print(output, pass, "read", SmallRequests / ReadScattered(image, i => offsets[i], mustMatch: true));
        }
    }

    /// <summary>Scattered reads and writes of an image that has every cluster already.</summary>
    internal static void ScatteredInPlace(string path, TextWriter output)
    {
        foreach (string pass in (string[])["cold", "warm"])
        {
            using var image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true });
            Print(output, pass, "read", SmallRequests / ReadScattered(image, StepOffset, mustMatch: false));
            Print(output, pass, "write", SmallRequests / WriteScattered(image, StepOffset));
        }
    }

    /// <summary>A fresh image, written from its start to its end by one caller, 1 MiB at a time.</summary>
    internal static void Sequential(string path, TextWriter output)
    {
        byte[] data = new byte[LargeBytes];
        foreach (string pass in (string[])["cold", "warm"])
        {
            using Qcow2Image image = Qcow2Image.Create(path, DiskSize, overwrite: true);
            double seconds = 0;
            for (long offset = 0; offset < DiskSize; offset += LargeBytes)
            {
                Fill(data, offset);
                seconds += Time(() => image.Write(offset, data));
            }

            seconds += Time(image.Flush);
            Print(output, pass, "write", DiskSize / LargeBytes / seconds);
        }
    }

    /// <summary>The disks that the images must hold afterwards, as raw files.</summary>
    internal static void MakeExpected(string scattered, string sequential)
    {
        byte[] data = new byte[LargeBytes];
        using FileStream small = File.Create(scattered);
        small.SetLength(DiskSize);
        for (int i = 0; i < SmallRequests; i++)
        {
            Fill(data.AsSpan(0, SmallBytes), StepOffset(i));
            RandomAccess.Write(small.SafeFileHandle, data.AsSpan(0, SmallBytes), StepOffset(i));
        }

        using FileStream large = File.Create(sequential);
        for (long offset = 0; offset < DiskSize; offset += LargeBytes)
        {
            Fill(data, offset);
            RandomAccess.Write(large.SafeFileHandle, data, offset);
        }
    }

    private static long StepOffset(int request) => request * Step % DiskSize;

    private static double WriteScattered(Qcow2Image image, Func<int, long> offsetOf) => InParallel(
        (request, buffer) =>
        {
            long offset = offsetOf(request);
            Fill(buffer, offset);
            image.Write(offset, buffer);
        },
        image.Flush);

    private static double ReadScattered(Qcow2Image image, Func<int, long> offsetOf, bool mustMatch)
    {
        int wrong = 0;
        double seconds = InParallel(
            (request, buffer) =>
            {
                long offset = offsetOf(request);
                image.Read(offset, buffer);
                if (MemoryMarshal.Read<long>(buffer) != Word(offset))
                {
                    Interlocked.Increment(ref wrong);
                }
            },
            () => { });
        return mustMatch && wrong > 0 ? throw new InvalidDataException($"{wrong} blocks do not hold what was written.") : seconds;
    }

    /// <summary>All requests, each by the next caller that is free; the threads exist when the clock starts.</summary>
    private static double InParallel(Action<int, byte[]> request, Action last)
    {
        int next = -1;
        using var start = new ManualResetEventSlim();
        Thread[] callers = [.. Enumerable.Range(0, Callers).Select(_ => new Thread(() =>
        {
            byte[] buffer = new byte[SmallBytes];
            start.Wait();
            for (int i; (i = Interlocked.Increment(ref next)) < SmallRequests;)
            {
                request(i, buffer);
            }
        }))];
        foreach (Thread caller in callers)
        {
            caller.Start();
        }

        return Time(() =>
        {
            start.Set();
            foreach (Thread caller in callers)
            {
                caller.Join();
            }

            last();
        });
    }

    private static double Time(Action action)
    {
        long begin = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(begin).TotalSeconds;
    }

    private static long Word(long offset) => offset + 1;

    private static void Fill(Span<byte> block, long offset) => MemoryMarshal.Cast<byte, long>(block).Fill(Word(offset));

    private static void Print(TextWriter output, string pass, string what, double perSecond)
        => output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{pass} {what} {perSecond:0.0}"));
}
