using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>One image with one thing wrong.</summary>
/// <param name="Name">What is wrong.</param>
/// <param name="Make">Builds it.</param>
internal sealed record CorruptionCase(string Name, Func<BuiltImage> Make)
{
    /// <summary>Our corruptions, leaks and check errors, where they are not those of qemu-img.</summary>
    internal (long Corruptions, long Leaks, long Errors)? Ours { get; init; }

    /// <summary>Why they differ.</summary>
    internal string? Because { get; init; }

    /// <summary>Whether the image needs its data file beside it.</summary>
    internal bool HasDataFile { get; init; }

    /// <summary>Whether something is left that only people can decide.</summary>
    internal bool IsBeyondRepair => CorruptionCases.IsBeyondRepair(Name);

    public override string ToString() => Name;
}
