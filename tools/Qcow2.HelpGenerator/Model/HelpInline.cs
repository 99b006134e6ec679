namespace Qcow2.HelpGenerator.Model;

/// <summary>A piece of a line of help text.</summary>
/// <param name="Text">How it reads without any markup.</param>
public abstract record HelpInline(string Text);

/// <summary>Plain words.</summary>
/// <param name="Text">The words.</param>
public sealed record TextInline(string Text) : HelpInline(Text);

/// <summary>A name, value or piece of code.</summary>
/// <param name="Text">The code.</param>
public sealed record CodeInline(string Text) : HelpInline(Text);

/// <summary>The name of a documented command.</summary>
/// <param name="Text">The name: Verb-Noun.</param>
public sealed record CommandInline(string Text) : HelpInline(Text);

/// <summary>A link to a page of the web.</summary>
/// <param name="Text">What to show.</param>
/// <param name="Uri">Where it leads.</param>
public sealed record LinkInline(string Text, string Uri) : HelpInline(Text);
